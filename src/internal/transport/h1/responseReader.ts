/**
 * Reads the responses of one connection, one for each request, however their bytes are cut: heads, and bodies by length, by
 * chunks, or until the connection closes. Strict where leniency lets two readers see two messages (RFC 9112, section 11.2).
 */
import type { HeadLimits } from "../../util/bounds.ts"
import { HeadOverflow, parseField, parseHead, ProtocolError, type ResponseHead } from "./responseHead.ts"

/** Receives the parts of each response. None of its functions may throw. */
export interface ResponseSink {
  /** A head has come; of 1xx, which come before the response's own, too. */
  readonly onHead: (head: ResponseHead) => void
  readonly onData: (chunk: Uint8Array) => void
  /** The response is whole. */
  readonly onEnd: () => void
}

const idle = 0
const head = 1
const fixed = 2
const chunkSize = 3
const chunkData = 4
const chunkEnd = 5
const trailers = 6
const untilClose = 7

const CR = 13
const LF = 10

/** Bytes of data up to which chunks are joined: some SDKs copy the rest of what they are handed at each event. */
const MAX_JOINED_BYTES = 8 * 1024

/** Most bytes of the line before a chunk: its size, and extensions, which are ignored. */
const MAX_CHUNK_LINE_BYTES = 4096

/** Bytes of a head beside names and values: the status line, and for each field what parts name, value and lines. */
const STATUS_LINE_BYTES = 1024
const FIELD_BYTES = 4

/** Sizes up to 2^52 - 1. */
const chunkLine = /^0*([0-9a-fA-F]{1,13})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/

const opening = Buffer.from("HTTP/1.")
const emptyLine = Buffer.from("\r\n\r\n")
const none = Buffer.alloc(0)

export class ResponseReader {
  readonly #sink: ResponseSink
  readonly #maxHead: number
  #state: 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 = idle
  #method = ""
  /** Bytes of a head or a line that is still incomplete. */
  #held: Buffer = none
  /** Bytes of the body, or of the chunk, that are missing. */
  #left = 0
  /** Bytes of trailers. */
  #trailing = 0

  constructor(sink: ResponseSink, { maxHeadBytes, maxHeadFields }: HeadLimits) {
    this.#sink = sink
    this.#maxHead = maxHeadBytes + FIELD_BYTES * Math.min(maxHeadFields, maxHeadBytes) + STATUS_LINE_BYTES
  }

  /** A request has been sent, and its response may come. */
  begin(method: string): void {
    this.#state = head
    this.#method = method
    this.#held = none
  }

  /** True while a response is awaited or arriving. */
  get isBusy(): boolean {
    return this.#state !== idle
  }

  /** Throws a ProtocolError. Gives what comes after the response's end. */
  read(bytes: Buffer): Buffer {
    let rest = bytes
    while (rest.length > 0 && this.#state !== idle) rest = this.#step(rest)
    return rest
  }

  /** The server has closed its side. Throws if that cuts the response. */
  finish(): void {
    if (this.#state === untilClose) this.#end()
    else if (this.#state !== idle) throw new Error("the server closed the connection")
  }

  #step(bytes: Buffer): Buffer {
    switch (this.#state) {
      case head:
        return this.#readHead(bytes)
      case fixed:
        return this.#readData(bytes)
      case chunkData:
        return this.#readChunks(bytes)
      case untilClose:
        this.#sink.onData(bytes)
        return none
      default:
        return this.#readLine(bytes)
    }
  }

  #readHead(bytes: Buffer): Buffer {
    const before = this.#held.length
    let all = before === 0 ? bytes : Buffer.concat([this.#held, bytes])
    // Some servers send an empty line after a body.
    while (all[0] === CR && all[1] === LF) all = all.subarray(2)
    const known = Math.min(all.length, opening.length)
    const isHead = opening.compare(all, 0, known, 0, known) === 0
    if (!isHead && !(all.length === 1 && all[0] === CR)) throw new ProtocolError("it does not begin with a status line")
    const end = all.indexOf(emptyLine, Math.max(0, before - emptyLine.length))
    if ((end === -1 ? all.length : end) > this.#maxHead) throw new HeadOverflow()
    if (end === -1) {
      if (hasBareLineFeed(all, Math.max(0, before - 1))) throw new ProtocolError("a line of its head ends without CR")
      this.#held = all
      return none
    }
    this.#held = none
    const parsed = parseHead(all.toString("latin1", 0, end), this.#method)
    const rest = all.subarray(end + emptyLine.length)
    if (parsed.status === 101) throw new ProtocolError("it switches protocols without being asked to")
    if (parsed.status >= 200) this.#expect(parsed)
    this.#sink.onHead(parsed)
    if (parsed.framing === 0 && parsed.status >= 200) this.#end()
    return rest
  }

  #expect({ framing }: ResponseHead): void {
    this.#trailing = 0
    if (framing === "close") this.#state = untilClose
    else if (framing === "chunked") this.#state = chunkSize
    else {
      this.#state = fixed
      this.#left = framing
    }
  }

  #readData(bytes: Buffer): Buffer {
    const chunk = bytes.length <= this.#left ? bytes : bytes.subarray(0, this.#left)
    this.#left -= chunk.length
    this.#sink.onData(chunk)
    if (this.#left > 0) return none
    this.#end()
    return bytes.subarray(chunk.length)
  }

  /**
   * Gives the data of chunks that have come together as one, moved in place: servers that write event by event send each in
   * a chunk of its own, and everything behind here costs by the piece.
   */
  #readChunks(bytes: Buffer): Buffer {
    let at = 0
    let size = 0
    do {
      const end = Math.min(bytes.length, at + this.#left)
      if (at > size) bytes.copyWithin(size, at, end)
      size += end - at
      this.#left -= end - at
      at = end
      if (this.#left === 0) at = this.#nextChunk(bytes, at)
    } while (this.#state === chunkData && size + this.#left <= MAX_JOINED_BYTES && at < bytes.length)
    this.#sink.onData(bytes.subarray(0, size))
    return bytes.subarray(at)
  }

  /** Reads what is between two chunks, as far as it has come and is plain. Returns the offset behind it. */
  #nextChunk(bytes: Buffer, at: number): number {
    if (bytes[at] !== CR || bytes[at + 1] !== LF) {
      this.#state = chunkEnd
      return at
    }
    const start = at + 2
    const end = plainLineEnd(bytes, start)
    const size = plainSize(bytes, start, end)
    if (size === 0) {
      this.#state = chunkSize
      return start
    }
    this.#left = size
    return end + 1
  }

  #readLine(bytes: Buffer): Buffer {
    const before = this.#held.length
    const end = bytes.indexOf(LF)
    const size = before === 0 && this.#state === chunkSize ? plainSize(bytes, 0, end) : 0
    if (size > 0) {
      this.#left = size
      this.#state = chunkData
      return bytes.subarray(end + 1)
    }
    const most = this.#state === trailers ? this.#maxHead - this.#trailing : MAX_CHUNK_LINE_BYTES
    if (before + (end === -1 ? bytes.length : end) > most)
      throw new ProtocolError("a line between its chunks is too long")
    if (end === -1) {
      this.#held = before === 0 ? bytes : Buffer.concat([this.#held, bytes])
      return none
    }
    const whole = before === 0 ? bytes.subarray(0, end) : Buffer.concat([this.#held, bytes.subarray(0, end)])
    this.#held = none
    if (whole[whole.length - 1] !== CR) throw new ProtocolError("a line between its chunks ends without CR")
    this.#line(whole.toString("latin1", 0, whole.length - 1))
    return bytes.subarray(end + 1)
  }

  #line(line: string): void {
    if (this.#state === chunkEnd) {
      if (line !== "") throw new ProtocolError("a chunk is longer than its size")
      this.#state = chunkSize
    } else if (this.#state === chunkSize) {
      const size = chunkLine.exec(line)?.[1]
      if (size === undefined) throw new ProtocolError("a chunk has no size")
      this.#left = Number.parseInt(size, 16)
      this.#state = this.#left === 0 ? trailers : chunkData
    } else if (line === "") this.#end()
    else {
      parseField(line)
      this.#trailing += line.length
    }
  }

  #end(): void {
    this.#state = idle
    this.#sink.onEnd()
  }
}

/** Digits of a size that is read without making a text of its line. */
const MAX_PLAIN_DIGITS = 6

/** Offset of the LF of a line that may be plain; -1 for one that is longer, or has not come. */
const plainLineEnd = (bytes: Buffer, from: number): number => {
  for (let at = from; at <= from + MAX_PLAIN_DIGITS + 1; at++) if (bytes[at] === LF) return at
  return -1
}

/** The size in the line of a chunk that is nothing but digits, and whose LF is at `end`; 0 for any other line. */
const plainSize = (bytes: Buffer, from: number, end: number): number => {
  if (end < from + 2 || end > from + MAX_PLAIN_DIGITS + 1 || bytes[end - 1] !== CR) return 0
  let size = 0
  for (let at = from; at < end - 1; at++) {
    const digit = hexDigit(bytes[at]!)
    if (digit < 0) return 0
    size = size * 16 + digit
  }
  return size
}

/** -1 for another character. */
const hexDigit = (byte: number): number => {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

const hasBareLineFeed = (bytes: Buffer, from: number): boolean => {
  for (let at = bytes.indexOf(LF, from); at !== -1; at = bytes.indexOf(LF, at + 1))
    if (bytes[at - 1] !== CR) return true
  return false
}
