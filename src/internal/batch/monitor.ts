/** Looks at a run several times a second: adapts its concurrency, measures its rate, and reports its progress. */
import type { Stats } from "../../ClientMap.ts"
import { clearInterval, performance, setInterval } from "../util/timers.ts"
import type { ConcurrencyLimit } from "./concurrency.ts"
import { queuedIn } from "./heldBack.ts"
import type { BatchSettings } from "./options.ts"
import { type Moment, progressOf } from "./progress.ts"
import type { RunTally } from "./tally.ts"

const TICK_MS = 100

type Counted = "now" | "stats" | "limit" | "tally"

/** The run that is looked at. */
export interface Monitored {
  readonly moment: () => Omit<Moment, Counted>
  /** Called on each look: time may have made room. */
  readonly onTick: () => void
}

type MonitorSettings = Pick<BatchSettings, "onProgress" | "progressInterval">

export class Monitor {
  readonly #settings: MonitorSettings
  readonly #tally: RunTally
  readonly #limit: ConcurrencyLimit
  readonly #count: () => Stats | undefined
  readonly #run: Monitored
  #timer: NodeJS.Timeout | undefined
  #shownAt = -Infinity
  #stats: Stats | undefined

  /** `count` gives the counts of the client map, if there is one. */
  constructor(
    settings: MonitorSettings,
    tally: RunTally,
    limit: ConcurrencyLimit,
    count: () => Stats | undefined,
    run: Monitored
  ) {
    this.#settings = settings
    this.#tally = tally
    this.#limit = limit
    this.#count = count
    this.#run = run
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  /** Shows the run for the last time. */
  end(): void {
    clearInterval(this.#timer)
    this.#show()
  }

  #tick(): void {
    const now = performance.now()
    const isShown = this.#settings.onProgress !== undefined && now - this.#shownAt >= this.#settings.progressInterval
    // Counting below costs something for each client, so it is done for those who ask.
    if (isShown || this.#limit.isAuto) this.#stats = this.#count()
    const queued = this.#stats === undefined ? 0 : queuedIn(this.#stats)
    this.#limit.adapt({ now, queued, running: this.#run.moment().running, ended: this.#tally.ended })
    this.#tally.sample(now)
    this.#run.onTick()
    if (!isShown) return
    this.#shownAt = now
    this.#show()
  }

  #show(): void {
    const { onProgress } = this.#settings
    if (onProgress === undefined) return
    const counted: Pick<Moment, Counted> = {
      now: performance.now(),
      stats: this.#stats,
      limit: this.#limit,
      tally: this.#tally
    }
    try {
      onProgress(progressOf({ ...this.#run.moment(), ...counted }))
    } catch {
      // A display that fails is no reason to end a run.
    }
  }
}
