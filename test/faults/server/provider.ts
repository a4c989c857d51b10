/**
 * A provider by hand. It counts each request by its id, and judges by itself what was repeated that must not be: after
 * the first byte of an answer's body, and anything but generation, unless it said that it had refused it unread.
 */
import { certificate } from "../../../src/internal/sandbox/certificate.ts"
import type { ProviderName } from "../../../src/testing/Sandbox.ts"
import type { Arrival, Line, Protocol, Wire } from "./arrival.ts"
import { serveBytes } from "./bytes.ts"
import type { Endpoint, EndpointOptions } from "./endpoint.ts"
import { serveHttp2 } from "./frames.ts"

export interface ProviderOptions extends Partial<Pick<EndpointOptions, "secure" | "streams">> {
  readonly onArrival: (arrival: Arrival) => void
}

export interface Provider extends Endpoint {
  readonly scheme: "http" | "https"
  readonly ca: string
  readonly arrivals: ReadonlyArray<Arrival>
  /** Connections, in their order. */
  readonly lines: ReadonlyArray<Line>
  /** Arrivals of a request, refused ones included. */
  readonly count: (id: string) => number
  /** Requests that were repeated although they must not be. */
  readonly duplicates: () => ReadonlyArray<string>
  /** Resolves when all that came has been counted. */
  readonly settled: () => Promise<void>
  /** Resolves when so many have come. */
  readonly arrived: (count: number) => Promise<void>
}

/** Base URL for an SDK and a server at `origin`. */
export const baseURL = (origin: string) => (provider: ProviderName) => (provider === "openai" ? `${origin}/v1` : origin)

interface Life {
  refused: boolean
  /** True once a byte of a success's body was sent. */
  begun: boolean
  status: number | undefined
}

/** Rule 2, as a server can see it. */
const mayComeAgain = (generation: boolean, { begun, refused, status }: Life): boolean => {
  if (refused || status === 429) return true
  return generation && !begun
}

const parse = (body: string): { readonly model?: string; readonly stream?: boolean; readonly stored?: boolean } =>
  body === "" ? {} : JSON.parse(body)

export const serveProvider = async (protocol: Protocol, options: ProviderOptions): Promise<Provider> => {
  const lives = new Map<string, Array<Life>>()
  const arrivals: Array<Arrival> = []
  const lines: Array<Line> = []
  const duplicates: Array<string> = []
  const waiting: Array<{ readonly count: number; readonly resolve: () => void }> = []

  const onRequest = (wire: Wire, body: string): void => {
    const { model: id = "", stored = false, stream: streamed = false } = parse(body)
    const before = lives.get(id) ?? []
    if (!before.every((life) => mayComeAgain(!stored, life))) duplicates.push(id)
    const life: Life = { refused: false, begun: false, status: undefined }
    lives.set(id, [...before, life])
    const arrival: Arrival = {
      ...wire,
      id,
      streamed,
      head: (status = 200, fields) => {
        if (status >= 200) life.status = status
        wire.head(status, fields)
      },
      data: (bytes) => {
        if (life.status !== undefined && life.status < 400) life.begun = true
        wire.data(bytes)
      },
      refused: () => {
        life.refused = true
      }
    }
    arrivals.push(arrival)
    for (const one of waiting.splice(0)) {
      if (arrivals.length >= one.count) one.resolve()
      else waiting.push(one)
    }
    options.onArrival(arrival)
  }

  const secure = options.secure ?? protocol !== "HTTP/1.1"
  const serve = protocol === "HTTP/2" ? serveHttp2 : serveBytes
  const endpoint = await serve({
    secure,
    streams: options.streams ?? 100,
    onOpen: (line) => lines.push(line),
    onRequest
  })
  return {
    ...endpoint,
    scheme: secure === false ? "http" : "https",
    ca: certificate.ca,
    arrivals,
    lines,
    count: (id) => lives.get(id)?.length ?? 0,
    duplicates: () => duplicates,
    settled: () => Promise.resolve(),
    arrived: (count) =>
      arrivals.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve }))
  }
}
