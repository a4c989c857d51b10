/**
 * Converts the `body` that a caller passes to fetch into one that the pools send. Text and bytes stay synchronous: they
 * are the bodies of all chat requests.
 */
import type { RequestBody, StreamedBody } from "../wire/request.ts"
import { bufferedBytes, encodeForm, type BlobLike, type FormLike } from "./multipart.ts"

export interface Outgoing {
  readonly body: RequestBody
  /** The body's own content type; the caller's header takes precedence, unless `binding`. */
  readonly contentType: string | undefined
  /** The content type names this body's boundary: no other can be right. */
  readonly binding: boolean
  /** True if it can be sent more than once. */
  readonly replayable: boolean
}

const plain = (body: RequestBody, contentType: string | undefined): Outgoing => ({
  body,
  contentType,
  binding: false,
  replayable: true
})

const none = plain(undefined, undefined)

// By tag and not by class: undici's, formdata-node's and polyfills' FormData and Blob are none of the global classes.
const tagged = (body: object, ...tags: ReadonlyArray<string>) =>
  Symbol.toStringTag in body && tags.includes(String(body[Symbol.toStringTag]))
const isBlob = (body: object): body is BlobLike => tagged(body, "Blob", "File") && "stream" in body
const isForm = (body: object): body is FormLike => tagged(body, "FormData") && "entries" in body
const isAsyncIterable = (body: object): body is AsyncIterable<unknown> => Symbol.asyncIterator in body

const chunkBytes = (chunk: unknown): Uint8Array => {
  if (chunk instanceof Uint8Array) return chunk
  if (typeof chunk === "string") return Buffer.from(chunk)
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk)
  throw new TypeError("a streamed request body may hold only bytes and text")
}

/** A body that is consumed once it was sent. One that is not yet being read is as good as before. */
const oneShot = (source: AsyncIterable<unknown>, length: number | undefined): StreamedBody => {
  if ("locked" in source && source.locked === true) {
    throw new TypeError("the request body is a stream locked by another reader")
  }
  let spent = false
  async function* open(): AsyncGenerator<Uint8Array> {
    if (spent) throw new TypeError("a streamed request body can't be sent twice")
    spent = true
    for await (const chunk of source) yield chunkBytes(chunk)
  }
  return { length, open, isSpent: () => spent }
}

const fromBlob = async (blob: BlobLike): Promise<Outgoing> => {
  const contentType = blob.type === "" ? undefined : blob.type
  if (blob.size <= bufferedBytes) return plain(new Uint8Array(await blob.arrayBuffer()), contentType)
  return plain({ length: blob.size, open: () => blob.stream() }, contentType)
}

/** `declaredLength` is the caller's Content-Length: used only for bodies without another source of their length. */
export const outgoing = (body: unknown, declaredLength: string | undefined): Outgoing | Promise<Outgoing> => {
  if (typeof body === "string") return plain(body, "text/plain;charset=UTF-8")
  if (body === undefined || body === null) return none
  if (typeof body !== "object") return plain(String(body), "text/plain;charset=UTF-8")
  if (body instanceof Uint8Array) return plain(body, undefined)
  if (ArrayBuffer.isView(body)) return plain(chunkBytes(body), undefined)
  if (body instanceof ArrayBuffer) return plain(new Uint8Array(body), undefined)
  if (body instanceof URLSearchParams) {
    return plain(body.toString(), "application/x-www-form-urlencoded;charset=UTF-8")
  }
  if (isBlob(body)) return fromBlob(body)
  if (isForm(body)) {
    return encodeForm(body).then(({ body, contentType }) => ({ body, contentType, binding: true, replayable: true }))
  }
  if (isAsyncIterable(body)) {
    const length = declaredLength !== undefined && /^\d+$/.test(declaredLength) ? Number(declaredLength) : undefined
    return { body: oneShot(body, length), contentType: undefined, binding: false, replayable: false }
  }
  return plain(String(body), "text/plain;charset=UTF-8")
}
