/**
 * Delays dials after failed ones. Requests that come meanwhile wait in the queue, so that dials are few however many
 * requests there are: the first failures are a moment apart, later ones half a second.
 */
import { root } from "../util/asyncContext.ts"
import { clearTimeout, performance, setTimeout } from "../util/timers.ts"

/** Pause, in ms, after a failed dial of a pool that has other lanes. */
const withOthers = 1_000
/** In ms, where there is no other lane: it doubles with each failure in a row, up to the longest. */
const first = 100
const longest = 500

export class Redial {
  readonly #due: () => void
  #failures = 0
  #until = 0
  #alone = false
  #timer: NodeJS.Timeout | undefined

  /** `due` is called when a pool without lanes may dial. */
  constructor(due: () => void) {
    this.#due = due
  }

  /** True while no dial may start; `others` counts the lanes that are open or being opened. */
  isHeld(others: number): boolean {
    return performance.now() < this.#until && (this.#alone || others > 0)
  }

  /** It could not connect; `isPassing` if that may be otherwise soon. */
  failed(others: number, isPassing: boolean): void {
    this.stop()
    this.#alone = others === 0
    if (!this.#alone) this.#until = performance.now() + withOthers
    else if (isPassing) {
      // Not all processes of a fleet at once.
      const ms = Math.min(longest, first * 2 ** this.#failures++) * (0.5 + Math.random() / 2)
      this.#until = performance.now() + ms
      this.#timer = root(setTimeout, this.#due, Math.ceil(ms) + 1).unref()
    } else this.#until = 0
  }

  connected(): void {
    this.stop()
    this.#failures = 0
    this.#until = 0
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
