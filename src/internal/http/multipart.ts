/**
 * multipart/form-data (RFC 7578) with a boundary that stays the same however often the form is sent, and a length
 * that is known without reading a file: what `new Response(form)` can't give.
 */
import { randomUUID } from "node:crypto"

import type { RequestBody } from "../wire/request.ts"

/** Members that a global Blob and those of other libraries have in common. */
export interface BlobLike {
  readonly size: number
  readonly type: string
  readonly name?: string
  readonly arrayBuffer: () => Promise<ArrayBuffer>
  readonly stream: () => AsyncIterable<Uint8Array>
}

export interface FormLike {
  readonly entries: () => Iterable<readonly [name: string, value: string | BlobLike]>
}

/** Bodies up to this size are held as bytes: cheaper to send, and to send again. */
export const bufferedBytes = 1024 * 1024

const encoder = new TextEncoder()
const lineBreak = encoder.encode("\r\n")

// As the HTML standard escapes names, so that a name can't end its own quotes or line.
const escape = (text: string) => text.replaceAll("\n", "%0A").replaceAll("\r", "%0D").replaceAll('"', "%22")
const normalize = (text: string) => text.replaceAll(/\r?\n|\r/g, "\r\n")

const sizeOf = (part: Uint8Array | BlobLike) => (part instanceof Uint8Array ? part.byteLength : part.size)

async function* streamed(parts: ReadonlyArray<Uint8Array | BlobLike>): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Uint8Array) yield part
    else yield* part.stream()
  }
}

/** Bytes where it is small, else a body that can be opened again. */
export const encodeForm = async (
  form: FormLike
): Promise<{ readonly contentType: string; readonly body: RequestBody }> => {
  const boundary = `----clientele-${randomUUID()}`
  const parts: Array<Uint8Array | BlobLike> = []
  for (const [name, value] of form.entries()) {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${escape(normalize(name))}"`
    if (typeof value === "string") {
      parts.push(encoder.encode(`${head}\r\n\r\n${normalize(value)}\r\n`))
    } else {
      const filename = `; filename="${escape(value.name ?? "blob")}"`
      const type = value.type === "" ? "application/octet-stream" : value.type
      parts.push(encoder.encode(`${head}${filename}\r\nContent-Type: ${type}\r\n\r\n`), value, lineBreak)
    }
  }
  parts.push(encoder.encode(`--${boundary}--\r\n`))
  const length = parts.reduce((sum, part) => sum + sizeOf(part), 0)
  const contentType = `multipart/form-data; boundary=${boundary}`
  if (length > bufferedBytes) return { contentType, body: { length, open: () => streamed(parts) } }
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    bytes.set(part instanceof Uint8Array ? part : new Uint8Array(await part.arrayBuffer()), offset)
    offset += sizeOf(part)
  }
  return { contentType, body: bytes }
}
