/** A provider whose trouble is a law: by the time, by chance, and by how much it has to do. */
import { drawAt, type VirtualTime } from "./virtualTime.ts"

/** Causes of failed attempts. */
export type Trouble = 500 | 502 | 503 | 529 | 429 | "reset" | "refuse" | "stall"

export interface Outage {
  readonly from: number
  readonly to: number
  readonly trouble: Trouble
}

/** Times are milliseconds. */
export interface Law {
  readonly seed: number
  /** Each attempt fails with this probability, so. */
  readonly p: number
  readonly trouble: Trouble
  readonly outages: ReadonlyArray<Outage>
  /** More at once are turned away. */
  readonly capacity: number
  /** Shortest time of an answer; the longest is twice as much. */
  readonly latency: number
  /** Time of a failed attempt. */
  readonly failLatency: number
  /** Retry-After of 429 and 503. */
  readonly retryAfter: number | undefined
  /** The client's timeout for response headers. */
  readonly timeout: number
}

export type Fate =
  | { readonly kind: "answer" }
  | { readonly kind: "status"; readonly status: number; readonly retryAfter: number | undefined }
  | { readonly kind: "reset" | "refused" | "timeout" }

export class Provider {
  readonly #law: Law
  readonly #time: VirtualTime
  readonly #attempts = new Map<number, number>()
  #inService = 0
  /** When each attempt came. */
  readonly arrivals: Array<number> = []

  constructor(law: Law, time: VirtualTime) {
    this.#law = law
    this.#time = time
  }

  /** True while connections are refused. */
  isRefusing(): boolean {
    return this.#outage()?.trouble === "refuse"
  }

  ask(row: number, done: (fate: Fate) => void): void {
    const { capacity, failLatency, latency, p, retryAfter, seed, timeout, trouble } = this.#law
    const attempt = (this.#attempts.get(row) ?? 0) + 1
    this.#attempts.set(row, attempt)
    this.arrivals.push(this.#time.now)
    const failsBy =
      this.#outage()?.trouble ??
      (drawAt(seed, row, attempt) < p ? trouble : this.#inService >= capacity ? 503 : undefined)
    if (failsBy === "stall") return void this.#time.after(timeout, () => done({ kind: "timeout" }))
    if (failsBy !== undefined) return void this.#time.after(failLatency, () => done(fateOf(failsBy, retryAfter)))
    this.#inService++
    const ms = latency * (1 + drawAt(seed + 99, row, 0))
    this.#time.after(Math.min(ms, timeout), () => {
      this.#inService--
      done({ kind: ms > timeout ? "timeout" : "answer" })
    })
  }

  #outage(): Outage | undefined {
    const { now } = this.#time
    return this.#law.outages.find(({ from, to }) => now >= from && now < to)
  }
}

const fateOf = (trouble: Exclude<Trouble, "stall">, retryAfter: number | undefined): Fate => {
  if (trouble === "reset") return { kind: "reset" }
  if (trouble === "refuse") return { kind: "refused" }
  const asks = trouble === 429 || trouble === 503 ? retryAfter : undefined
  return { kind: "status", status: trouble, retryAfter: asks }
}
