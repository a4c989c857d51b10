/**
 * A response's body, the same for both protocols: it reads ahead a little, then applies backpressure to the sender. The
 * caller's part (`Body`) and the socket's (`BodyCore`) are two objects, so that an unreachable body is collected, and
 * its socket freed, although it still arrives.
 */
import type { WireBody } from "../http/types.ts"
import type { WireError } from "../wire/errors.ts"
import { performance } from "../util/timers.ts"

/** Bytes that are read ahead before the sender is held back. */
const readAhead = 256 * 1024

/** Callbacks from a body to the request that it belongs to. */
export interface BodySource {
  readonly pause: () => void
  readonly resume: () => void
  /** The rest is not wanted. */
  readonly giveUp: (why: string) => void
  /** A `read` began, or ceased, to wait. */
  readonly reading: (waiting: boolean) => void
}

/** A pending read. It holds the handle: a waiting reader's must not be collected. */
interface Waiter {
  readonly handle: Body
  readonly resolve: (chunk: Uint8Array | undefined) => void
  readonly reject: (error: WireError) => void
}

/**
 * The registry's held value for a body; `core` is cleared when the body ends. The core keeps the error that ended it,
 * which may have been made under the reader: its stack leads to the handle, which then would never be collected.
 */
interface Guard {
  core: BodyCore | undefined
}

const ended: Promise<undefined> = Promise.resolve(undefined)

export class BodyCore {
  /** Since when the sender is held back, `undefined` if it is not. */
  pausedAt: number | undefined
  /** True once a chunk was asked for. */
  touched = false
  readonly #source: BodySource
  #chunks: Array<Uint8Array> = []
  #head = 0
  #size = 0
  #done = false
  #error: WireError | undefined
  #waiter: Waiter | undefined
  /** The handle of a young body. Most end before `guard` is called, and are spared the registry. */
  #young: Body | undefined
  #guard: Guard | undefined
  #listeners: Array<(error: WireError | undefined) => void> | undefined

  constructor(source: BodySource) {
    this.#source = source
  }

  open(): WireBody {
    const body = new Body(this)
    if (!this.#done) this.#young = body
    return body
  }

  /** The read that is under way: another object each time. */
  get pending(): object | undefined {
    return this.#waiter
  }

  /** From now on the body is given up when its handle is collected. */
  guard(): void {
    if (this.#young === undefined) return
    abandoned.register(this.#young, (this.#guard = { core: this }))
    this.#young = undefined
  }

  push(chunk: Uint8Array): void {
    if (this.#done) return
    if (this.#waiter !== undefined) return this.#waited(this.#waiter).resolve(chunk)
    this.#chunks.push(chunk)
    this.#size += chunk.length
    if (this.#size >= readAhead && this.pausedAt === undefined) {
      this.pausedAt = performance.now()
      this.#source.pause()
    }
  }

  /** The end, or with an error a cut. `drop` forgets what was read ahead. */
  finish(error: WireError | undefined, drop = false): void {
    if (this.#done) return
    this.#done = true
    this.#error = error
    this.#young = undefined
    if (this.#guard !== undefined) this.#guard.core = undefined
    this.pausedAt = undefined
    if (drop) {
      this.#chunks = []
      this.#head = this.#size = 0
    }
    if (this.#waiter !== undefined) {
      const waiter = this.#waited(this.#waiter)
      if (error === undefined) waiter.resolve(undefined)
      else waiter.reject(error)
    }
    const listeners = this.#listeners
    this.#listeners = undefined
    if (listeners !== undefined) for (const f of listeners) f(error)
  }

  read(handle: Body): Promise<Uint8Array | undefined> {
    const chunk = this.take()
    if (chunk !== undefined) return Promise.resolve(chunk)
    if (this.#done) return this.#error === undefined ? ended : Promise.reject(this.#error)
    if (this.#waiter !== undefined) return Promise.reject(new TypeError("one read at a time"))
    return new Promise((resolve, reject) => {
      this.#waiter = { handle, resolve, reject }
      this.#source.reading(true)
    })
  }

  /** The next chunk, if it has come. */
  take(): Uint8Array | undefined {
    this.touched = true
    const chunk = this.#chunks[this.#head]
    if (chunk !== undefined) this.#taken(chunk)
    return chunk
  }

  /** All of it, if it has ended well, unread, and has at most `most` bytes. */
  takeWhole(most: number): Uint8Array | undefined {
    if (!this.#done || this.#error !== undefined || this.touched || this.#size > most) return undefined
    this.touched = true
    const chunks = this.#chunks
    this.#chunks = []
    this.#size = 0
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
  }

  cancel(why: string): void {
    if (!this.#done) this.#source.giveUp(why)
  }

  onEnd(f: (error: WireError | undefined) => void): void {
    if (this.#done) f(this.#error)
    else (this.#listeners ??= []).push(f)
  }

  #taken(chunk: Uint8Array): void {
    this.#size -= chunk.length
    if (++this.#head === this.#chunks.length) {
      this.#chunks = []
      this.#head = 0
    }
    if (this.pausedAt !== undefined && this.#size < readAhead / 2) {
      this.pausedAt = undefined
      this.#source.resume()
    }
  }

  #waited(waiter: Waiter): Waiter {
    this.#waiter = undefined
    this.#source.reading(false)
    return waiter
  }
}

class Body implements WireBody {
  readonly #core: BodyCore

  constructor(core: BodyCore) {
    this.#core = core
  }

  read(): Promise<Uint8Array | undefined> {
    return this.#core.read(this)
  }

  take(): Uint8Array | undefined {
    return this.#core.take()
  }

  takeWhole(most: number): Uint8Array | undefined {
    return this.#core.takeWhole(most)
  }

  cancel(): void {
    this.#core.cancel("the body was cancelled")
  }

  onEnd(f: (error: WireError | undefined) => void): void {
    this.#core.onEnd(f)
  }
}

const abandoned = new FinalizationRegistry<Guard>(({ core }) => core?.cancel("the body was collected unread"))
