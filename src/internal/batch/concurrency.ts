/**
 * Rows at a time. With `"auto"` as many as keep quota and sockets busy: it doubles while nothing waits below and all of
 * it is used, and shrinks to what is in flight, and a reserve, when requests wait.
 */
import type { Concurrency } from "./model.ts"

const AUTO_FIRST = 32
const AUTO_MIN = 8
/** 2,000 requests in flight hold about 100 MB; HTTP/1.1 has 256 sockets, HTTP/2 as many streams as it likes. */
const AUTO_MAX = 4_096
/** Longest time between two steps up, where answers take longer than this. */
const GROWTH_INTERVAL_MS = 1_000
/** Requests that may wait below, beside a quarter of those in flight: so that a turn that comes free finds one. */
const RESERVE = 8

/** The layers below at one moment. */
export interface Load {
  /** Requests that wait for quota or a socket. */
  readonly queued: number
  /** Rows whose agents run. */
  readonly running: number
  /** Rows that have ended since the run began. */
  readonly ended: number
  /** Milliseconds. */
  readonly now: number
}

export class ConcurrencyLimit {
  readonly isAuto: boolean
  #limit: number
  #steppedAt: number | undefined
  #endedAt = 0

  constructor(concurrency: Concurrency) {
    this.isAuto = concurrency === "auto"
    this.#limit = concurrency === "auto" ? AUTO_FIRST : concurrency
  }

  get limit(): number {
    return this.#limit
  }

  /** To be called about ten times a second. */
  adapt({ ended, now, queued, running }: Load): void {
    if (!this.isAuto) return
    this.#steppedAt ??= now
    const inFlight = Math.max(0, running - queued)
    const mayWait = RESERVE + inFlight / 4
    if (queued > mayWait) {
      this.#step(Math.max(AUTO_MIN, Math.min(this.#limit, Math.ceil(inFlight + mayWait))), now, ended)
      return
    }
    const isUsed = running >= this.#limit
    const isDue = ended - this.#endedAt >= this.#limit || now - this.#steppedAt >= GROWTH_INTERVAL_MS
    if (isUsed && queued === 0 && isDue) this.#step(Math.min(AUTO_MAX, this.#limit * 2), now, ended)
  }

  #step(limit: number, now: number, ended: number): void {
    this.#limit = limit
    this.#steppedAt = now
    this.#endedAt = ended
  }
}
