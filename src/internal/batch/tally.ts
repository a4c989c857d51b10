/** Counts of a run. */
import type { Result, Usage } from "./result.ts"
import { noUsage, sumOf } from "./cost/cost.ts"

/** The rate is that of these last milliseconds. */
const RATE_WINDOW_MS = 10_000
const SAMPLE_MS = 250

export class RunTally {
  readonly startedAt: number
  read = 0
  done = 0
  failed = 0
  restored = 0
  cached = 0
  changed = 0
  damaged = 0
  /** Rows of this run that have ended. */
  ended = 0
  /** Rows of this run whose outcome is known, be it written or not. */
  concluded = 0
  /** Failures among `concluded`. */
  concludedFailures = 0
  /** Rows of this run whose agents ended. */
  agentRuns = 0
  /** Rows of this run that a provider answered, as far as agents tell. */
  answered = 0
  usage: Usage = noUsage
  cost = 0
  earlierCost = 0
  unpriced = 0
  readonly failures = new Map<string, number>()
  #samples: Array<readonly [at: number, ended: number]>

  constructor(now: number) {
    this.startedAt = now
    this.#samples = [[now, 0]]
  }

  /** Counts a row that an earlier run has done, `failed` by its tag. */
  restore(failed: string | undefined): void {
    this.restored++
    this.#outcome(failed)
  }

  /** Counts a row of this run. */
  end(result: Result<unknown, unknown>): void {
    this.ended++
    // Tokens of a cached answer were spent by another run.
    if (result.cached) this.cached++
    else this.usage = sumOf(this.usage, result.usage)
    if (result.cost === undefined) this.unpriced++
    else this.cost += result.cost
    this.#outcome(result.status === "failed" ? result.reason.tag : undefined)
  }

  #outcome(failed: string | undefined): void {
    if (failed === undefined) this.done++
    else {
      this.failed++
      this.failures.set(failed, (this.failures.get(failed) ?? 0) + 1)
    }
  }

  /** To be called several times a second. */
  sample(now: number): void {
    if (now - this.#samples.at(-1)![0] < SAMPLE_MS) return
    this.#samples.push([now, this.ended])
    while (this.#samples.length > 2 && now - this.#samples[1]![0] >= RATE_WINDOW_MS) this.#samples.shift()
  }

  rowsPerSecond(now: number): number {
    const [at, ended] = this.#samples[0]!
    return now > at ? ((this.ended - ended) * 1_000) / (now - at) : 0
  }
}
