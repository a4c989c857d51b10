/** Takes arguments of the global `fetch`, a `Request` or not, apart: each hop of a redirect is made of the parts. */

export type Body = NonNullable<RequestInit["body"]> | AsyncIterable<Uint8Array>

export interface Unpacked {
  readonly url: URL
  readonly method: string | undefined
  readonly headers: Headers
  readonly body: Body | undefined
  readonly signal: AbortSignal | undefined
  readonly redirect: "follow" | "manual" | "error"
}

/** As Node's `fetch` names itself for callers that do not. */
const USER_AGENT = "node"

/** Headers of the connection, which the pool shares. */
const ofConnection = ["connection", "keep-alive"]

const headersOf = (given: ConstructorParameters<typeof Headers>[0]): Headers => {
  const headers = new Headers(given)
  for (const name of ofConnection) headers.delete(name)
  if (!headers.has("user-agent")) headers.set("user-agent", USER_AGENT)
  return headers
}

const redirectOf = (redirect: string | undefined): Unpacked["redirect"] =>
  redirect === "manual" || redirect === "error" ? redirect : "follow"

export const unpack = async (input: Parameters<typeof fetch>[0], init: RequestInit | undefined): Promise<Unpacked> => {
  if (typeof input === "object" && input instanceof Request) {
    const request = init === undefined ? input : new Request(input, init)
    const { method, redirect, signal, url } = request
    const headers = headersOf(request.headers)
    return { url: new URL(url), method, headers, body: await bodyOf(request), signal, redirect: redirectOf(redirect) }
  }
  return {
    url: new URL(input),
    method: init?.method,
    headers: headersOf(init?.headers),
    body: init?.body ?? undefined,
    signal: init?.signal ?? undefined,
    redirect: redirectOf(init?.redirect)
  }
}

/**
 * Turns of the microtask queue within which a body that was bytes ends. A `Request` shows every body as a stream. Bytes are
 * sent with their length, and all else as it comes, as `fetch` does.
 */
const MAX_TURNS = 64

const later = async (): Promise<undefined> => {
  for (let i = 0; i < MAX_TURNS; i++) await undefined
  return undefined
}

interface Read {
  readonly done: boolean
  readonly value?: Uint8Array | undefined
}

const bodyOf = async (request: Request): Promise<Body | undefined> => {
  if (request.body === null) return undefined
  // A form's files may be read from disk, and all of it has a length.
  if (request.headers.get("content-type")?.startsWith("multipart/form-data") === true)
    return new Uint8Array(await request.arrayBuffer())
  const reader = request.body.getReader()
  const chunks: Array<Uint8Array> = []
  for (;;) {
    const reading = reader.read() as Promise<Read>
    const read = await Promise.race([reading, later()])
    if (read === undefined) return rest(chunks, reading, reader)
    if (read.done) return Buffer.concat(chunks)
    chunks.push(read.value!)
  }
}

/** Chunks that have come already, and the rest. */
async function* rest(
  chunks: ReadonlyArray<Uint8Array>,
  reading: Promise<Read>,
  reader: { read(): Promise<Read>; cancel(): Promise<void> }
): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks
    for (let read = await reading; !read.done; read = await reader.read()) yield read.value!
  } finally {
    await reader.cancel()
  }
}
