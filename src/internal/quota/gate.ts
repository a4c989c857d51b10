/**
 * The gate that a provider's Retry-After closes, for all at once. When its time has come it does not open at a stroke:
 * the first to go is a probe, and only as answers show that the provider takes requests again do more follow, two for
 * each at first. That is TCP's slow start with its threshold (RFC 5681): the window is how many may be out
 * without an answer. Without it those who wait would all go in the same moment, and be refused together again.
 */
import { remaining, type Ticker } from "../ticker.ts"

/**
 * A refusal comes at once, an answer takes as long as it takes to write. So whoever has not been refused after this
 * many milliseconds has been let in.
 */
export const PATIENCE = 1_000

/** A request on its way through a gate that is not fully open. Each end of it counts once. */
export interface Trial {
  readonly passed: () => void
  /** Turned away, or closed again. */
  readonly refused: () => void
  /** It never came to an answer, which says nothing. */
  readonly dropped: () => void
}

export class Gate {
  /** Whether those who pass are also held to a pace. */
  isPaced = false
  readonly #ticker: Ticker
  readonly #changed: () => void
  /** Before this nobody goes. */
  #until = -Infinity
  #open = true
  /** How many may be out that have not been let in, how many are, and from where on the window grows slowly. */
  #window = 1
  #out = 0
  #threshold = Infinity
  /** Counts closings: what went before the last one says nothing of what has been since. */
  #round = 0

  /** `changed` is called when somebody may go who could not before, unless only time had to pass. */
  constructor(ticker: Ticker, changed: () => void) {
    this.#ticker = ticker
    this.#changed = changed
  }

  /** Somebody was refused: nobody goes for so long, and longer if it was closed for longer. */
  close(now: number, ms: number): void {
    // If nobody has gone since it was closed, as when two clocks differ, there is nothing to learn.
    const wasTried = this.#out > 0 || this.#window > 1
    if (!this.#open && wasTried && this.closedFor(now) === 0) this.#narrow()
    this.#shut(1)
    this.#until = Math.max(this.#until, now + ms)
  }

  /**
   * Nothing remains, though nobody was refused. For a moment that is a pause, after which as many may be out as were
   * let in before; after more the first is a probe again.
   */
  pause(now: number, ms: number, inFlight: number): void {
    if (ms > PATIENCE) this.#shut(1)
    else if (this.#open) this.#shut(Math.max(1, inFlight))
    this.#until = Math.max(this.#until, now + ms)
  }

  #shut(window: number): void {
    this.#open = false
    this.#round++
    this.#window = window
    this.#out = 0
  }

  #narrow(): void {
    // Where a pace is kept, that says how fast to go; the window only keeps them from all going at once.
    this.#threshold = this.isPaced ? Infinity : Math.max(1, Math.floor(this.#window / 2))
  }

  /** How often it has been closed. */
  get closings(): number {
    return this.#round
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** Milliseconds for which it stays closed, 0 if it isn't. */
  closedFor(now: number): number {
    return this.#open ? 0 : remaining(this.#until - now)
  }

  /** How many may go now. */
  room(now: number): number {
    if (this.#open) return Infinity
    return this.closedFor(now) > 0 ? 0 : Math.max(0, Math.floor(this.#window) - this.#out)
  }

  /** To be asked of each that goes while it is not open. */
  trial(): Trial {
    this.#out++
    const round = this.#round
    let over = false
    const end = (settle: () => void) => (): void => {
      if (over) return
      over = true
      cancel()
      if (round !== this.#round) return
      this.#out--
      settle()
      this.#changed()
    }
    const passed = end(() => {
      this.#window += this.#window < this.#threshold ? 1 : 1 / this.#window
    })
    const cancel = this.#ticker.after(PATIENCE, passed)
    return {
      passed,
      refused: end(() => {
        this.#window = Math.max(1, Math.floor(this.#window / 2))
        this.#threshold = this.isPaced ? Infinity : this.#window
      }),
      dropped: end(() => undefined)
    }
  }

  /** Nobody waits any more: once the last answer is in it is open. */
  rest(now: number): void {
    if (this.#open || this.#out > 0 || this.closedFor(now) > 0 || this.#window === 1) return
    this.#open = true
    this.#threshold = Infinity
  }
}
