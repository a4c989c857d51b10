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

const joined = (chunks: ReadonlyArray<Chunk>): Buffer => {
  if (chunks.every((chunk) => typeof chunk === "string")) return Buffer.from(chunks.join(""))
  return Buffer.concat(chunks.map((chunk) => Buffer.from(chunk)))
}

const slices = (bytes: Buffer, size: number): Array<Uint8Array> => {
  const all: Array<Uint8Array> = []
  for (let i = 0; i < bytes.length; i += size) all.push(bytes.subarray(i, i + size))
  return all
}

interface Cut {
  readonly afterBytes?: number | undefined
  readonly afterChunks?: number | undefined
}

/** Milliseconds until written bytes are on the wire: an immediate reset would overtake them. */
const FLUSH_MS = 10

/** One reply on its way. */
class Sending {
  readonly #exchange: Exchange
  readonly #reply: Reply
  readonly #headers: Headers
  /** Milliseconds before each chunk, where the reply is streamed. */
  readonly #every: number
  #timer: NodeJS.Timeout | undefined

  constructor(exchange: Exchange, reply: Reply, headers: Headers, pace: Pace) {
    this.#exchange = exchange
    this.#reply = reply
    this.#headers = headers
    this.#every = reply.streamed ? pace.perToken : 0
  }

  readonly stop = (): void => clearTimeout(this.#timer)

  start(latency: number, fault: Fault | undefined): void {
    const begin = (): void => {
      if (this.#exchange.isOpen()) this.#begin(fault)
    }
    if (latency > 0) this.#timer = setTimeout(begin, latency)
    else begin()
  }

  #begin(fault: Fault | undefined): void {
    const exchange = this.#exchange
    const { chunks, status } = this.#reply
    const end = (): void => exchange.end()
    if (fault === undefined) return this.#whole(this.#every)
    switch (fault.type) {
      case "resetBeforeHeaders":
        return exchange.reset(fault.code ?? INTERNAL_ERROR)
      case "headers":
        return this.#whole(this.#every)
      case "garbage":
        return fault.what === "json" ? this.#whole(0) : exchange.garble(GARBAGE)
      case "goAway":
        exchange.goAway(fault.code ?? 0)
        return this.#whole(this.#every)
      case "stall":
        if (fault.at === "headers") return this.#stall(fault.ms, () => this.#whole(0))
        return this.#split(fault, (rest) => this.#stall(fault.ms, () => this.#write(rest, 0, end)))
      case "resetMidBody":
        return this.#split(fault, () => this.#stall(FLUSH_MS, () => exchange.reset(fault.code ?? INTERNAL_ERROR)))
      case "slowDrip":
        this.#head()
        return this.#write(slices(joined(chunks), fault.bytes), fault.every, end)
      case "truncate":
        return this.#truncate(status, fault.missing ?? 10)
      case "status":
        return this.#whole(0)
    }
  }

  #truncate(status: number, missing: number): void {
    const exchange = this.#exchange
    const bytes = joined(this.#reply.chunks)
    exchange.head(status, { ...this.#headers, "content-length": `${bytes.length + missing}` })
    // On HTTP/2 an END_STREAM that comes too early, on HTTP/1.1 a socket that ends.
    if (exchange.connection.protocol === "h2") return exchange.end(bytes)
    exchange.write(bytes)
    this.#stall(FLUSH_MS, () => exchange.reset(INTERNAL_ERROR))
  }

  #head(): void {
    const { chunks, status, streamed } = this.#reply
    const length = (): string => `${chunks.reduce((sum, chunk) => sum + Buffer.byteLength(chunk), 0)}`
    this.#exchange.head(status, streamed ? this.#headers : { ...this.#headers, "content-length": length() })
  }

  #whole(every: number): void {
    const { chunks } = this.#reply
    this.#head()
    if (every > 0) return this.#write(chunks, every, () => this.#exchange.end())
    const only = chunks[0]
    if (only === undefined) this.#exchange.end()
    else this.#exchange.end(chunks.length === 1 ? only : joined(chunks))
  }

  /** Due by the clock since the start, so that a late timer delays no later chunk. */
  #write(chunks: ReadonlyArray<Chunk>, every: number, done: () => void): void {
    const start = performance.now()
    let i = 0
    const step = () => {
      if (!this.#exchange.isOpen()) return
      const due = every > 0 ? Math.floor((performance.now() - start + 0.5) / every) : chunks.length
      while (i < chunks.length && i < due) this.#exchange.write(chunks[i++] ?? "")
      if (i === chunks.length) return done()
      this.#timer = setTimeout(step, Math.max(1, start + (i + 1) * every - performance.now()))
    }
    if (every > 0) this.#timer = setTimeout(step, every)
    else step()
  }

  /** Sends the first part of the body; the rest is for `then`. */
  #split(at: Cut, then: (rest: ReadonlyArray<Chunk>) => void): void {
    const { chunks } = this.#reply
    this.#head()
    if (at.afterChunks !== undefined) {
      const rest = chunks.slice(at.afterChunks)
      return this.#write(chunks.slice(0, at.afterChunks), this.#every, () => then(rest))
    }
    const bytes = joined(chunks)
    const cut = Math.min(bytes.length, at.afterBytes ?? Math.floor(bytes.length / 2))
    this.#write(cut === 0 ? [] : [bytes.subarray(0, cut)], 0, () => then([bytes.subarray(cut)]))
  }

  /** For ever, if `ms` is `undefined`. */
  #stall(ms: number | undefined, then: () => void): void {
    if (ms === undefined) return
    this.#timer = setTimeout(() => {
      if (this.#exchange.isOpen()) then()
    }, ms)
  }
}

/** Returns what stops its timers. */
export const send = (
  exchange: Exchange,
  reply: Reply,
  headers: Headers,
  pace: Pace,
  fault: Fault | undefined
): (() => void) => {
  const sending = new Sending(exchange, reply, headers, pace)
  sending.start(pace.latency + (reply.streamed ? 0 : pace.perToken * reply.answerTokens), fault)
  return sending.stop
}
