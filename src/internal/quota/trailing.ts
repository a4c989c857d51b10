/**
 * Detects a shared budget that is used less than its requests would: time in which some of them waited though budget
 * was left is counted, and reported if it adds up, since the budget looks exhausted from outside.
 */

/** Milliseconds of one look. A start with nothing known of the store is no more than a small part of it. */
const LOOK_MS = 20_000
/** Parts of the budget that were lost. */
const TRAILING_SHARE = 0.05
const WELL_SHARE = 0.01

export class Trailing {
  readonly #tell: (isTrailing: boolean) => void
  #since: number | undefined
  #lost = 0
  #isTrailing = false

  /** `tell` is called for each change. */
  constructor(tell: (isTrailing: boolean) => void) {
    this.#tell = tell
  }

  /** A grant came; so many milliseconds of budget had passed unused while requests waited. */
  add(now: number, lost: number): void {
    this.#since ??= now
    this.#lost += lost
    const ms = now - this.#since
    if (ms < LOOK_MS) return
    const part = this.#lost / ms
    this.#since = now
    this.#lost = 0
    if (part > TRAILING_SHARE ? this.#isTrailing : part > WELL_SHARE || !this.#isTrailing) return
    this.#isTrailing = !this.#isTrailing
    this.#tell(this.#isTrailing)
  }
}
