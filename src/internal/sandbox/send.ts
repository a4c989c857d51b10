/** Puts a reply on the wire: when, in which pieces, and with what fault. */
import type { Exchange, Headers } from "./exchange.ts"
import type { Fault } from "./model.ts"
import type { Reply } from "./reply.ts"
import { clearTimeout, performance, setTimeout } from "../util/timers.ts"

export interface Pace {
  /** Milliseconds to the first byte. */
  readonly latency: number
  /** Milliseconds before each chunk of a stream, or for each token of a plain answer. */
  readonly perToken: number
}

type Chunk = string | Uint8Array

const INTERNAL_ERROR = 2

/** Read as HTTP/2 it is a frame far too large, so that a client does not wait for the rest of it. */
const GARBAGE = Buffer.from("\u00ff\u00fe\u00fdthis is no HTTP\r\n\r\n", "latin1")

/** Returns what stops its timers. */
export const send = (
  exchange: Exchange,
  reply: Reply,
  headers: Headers,
  pace: Pace,
  fault: Fault | undefined
): (() => void) => {
  let timer: NodeJS.Timeout | undefined
  const after = (ms: number, f: () => void) => {
    if (ms > 0) timer = setTimeout(f, ms)
    else f()
  }
  const latency = pace.latency + (reply.streamed ? 0 : pace.perToken * reply.answerTokens)
  after(latency, () => {
    if (exchange.isOpen()) begin()
  })
  return () => clearTimeout(timer)

  function begin(): void {
    if (fault === undefined) return whole(reply.chunks, reply.streamed ? pace.perToken : 0)
    switch (fault.type) {
      case "resetBeforeHeaders":
        return exchange.reset(fault.code ?? INTERNAL_ERROR)
      case "headers":
        return whole(reply.chunks, reply.streamed ? pace.perToken : 0)
      case "garbage":
        if (fault.what === "json") return whole(reply.chunks, 0)
        return exchange.garble(GARBAGE)
      case "goAway":
        exchange.goAway(fault.code ?? 0)
        return whole(reply.chunks, reply.streamed ? pace.perToken : 0)
      case "stall":
        if (fault.at === "headers") return stall(fault.ms, () => whole(reply.chunks, 0))
        return split(fault, (rest) => stall(fault.ms, () => write(rest, 0, () => exchange.end())))
      case "resetMidBody":
        return split(fault, () => flushed(() => exchange.reset(fault.code ?? INTERNAL_ERROR)))
      case "slowDrip":
        exchange.head(reply.status, lengthOf(headers))
        return write(slices(joined(reply.chunks), fault.bytes), fault.every, () => exchange.end())
      case "truncate": {
        const bytes = joined(reply.chunks)
        exchange.head(reply.status, { ...headers, "content-length": `${bytes.length + (fault.missing ?? 10)}` })
        // On HTTP/2 an END_STREAM that comes too early, on HTTP/1.1 a socket that ends.
        if (exchange.connection.protocol === "h2") return exchange.end(bytes)
        exchange.write(bytes)
        return flushed(() => exchange.reset(INTERNAL_ERROR))
      }
      case "status":
        return whole(reply.chunks, 0)
    }
  }

  function lengthOf(base: Headers): Headers {
    if (reply.streamed) return base
    return { ...base, "content-length": `${reply.chunks.reduce((sum, chunk) => sum + Buffer.byteLength(chunk), 0)}` }
  }

  function whole(chunks: ReadonlyArray<Chunk>, every: number): void {
    exchange.head(reply.status, lengthOf(headers))
    if (every > 0) return write(chunks, every, () => exchange.end())
    const only = chunks[0]
    if (only === undefined) exchange.end()
    else exchange.end(chunks.length === 1 ? only : joined(chunks))
  }

  /** Due by the clock since the start, so that a late timer delays no later chunk. */
  function write(chunks: ReadonlyArray<Chunk>, every: number, done: () => void): void {
    const start = performance.now()
    let i = 0
    const step = () => {
      if (!exchange.isOpen()) return
      const due = every > 0 ? Math.floor((performance.now() - start + 0.5) / every) : chunks.length
      while (i < chunks.length && i < due) exchange.write(chunks[i++] ?? "")
      if (i === chunks.length) return done()
      timer = setTimeout(step, Math.max(1, start + (i + 1) * every - performance.now()))
    }
    if (every > 0) timer = setTimeout(step, every)
    else step()
  }

  /** Sends the first part of the body; the rest is for `then`. */
  function split(
    at: { readonly afterBytes?: number | undefined; readonly afterChunks?: number | undefined },
    then: (rest: ReadonlyArray<Chunk>) => void
  ): void {
    exchange.head(reply.status, lengthOf(headers))
    const every = reply.streamed ? pace.perToken : 0
    if (at.afterChunks !== undefined) {
      const rest = reply.chunks.slice(at.afterChunks)
      return write(reply.chunks.slice(0, at.afterChunks), every, () => then(rest))
    }
    const bytes = joined(reply.chunks)
    const cut = Math.min(bytes.length, at.afterBytes ?? Math.floor(bytes.length / 2))
    return write(cut === 0 ? [] : [bytes.subarray(0, cut)], 0, () => then([bytes.subarray(cut)]))
  }

  function stall(ms: number | undefined, then: () => void): void {
    if (ms === undefined) return
    timer = setTimeout(() => {
      if (exchange.isOpen()) then()
    }, ms)
  }

  /** Waits until the written bytes are on the wire, some turns later; an immediate reset would overtake them. */
  function flushed(then: () => void): void {
    timer = setTimeout(() => {
      if (exchange.isOpen()) then()
    }, 10)
  }
}

const joined = (chunks: ReadonlyArray<Chunk>): Buffer => {
  if (chunks.every((chunk) => typeof chunk === "string")) return Buffer.from(chunks.join(""))
  return Buffer.concat(chunks.map((chunk) => Buffer.from(chunk)))
}

const slices = (bytes: Buffer, size: number): Array<Uint8Array> => {
  const all: Array<Uint8Array> = []
  for (let i = 0; i < bytes.length; i += size) all.push(bytes.subarray(i, i + size))
  return all
}
