/** The outcome of a build, for callbacks instead of fibers: ten thousand may wait for one. */
import type * as Exit from "effect/Exit"

export class Outcome<A, E> {
  #exit: Exit.Exit<A, E> | undefined
  readonly #waiting = new Set<(exit: Exit.Exit<A, E>) => void>()

  /** Calls `f` once, at once if the build has ended. The result takes it back; false if it has been called. */
  await(f: (exit: Exit.Exit<A, E>) => void): () => boolean {
    if (this.#exit !== undefined) {
      f(this.#exit)
      return () => false
    }
    this.#waiting.add(f)
    return () => this.#waiting.delete(f)
  }

  /** The first outcome counts. */
  done(exit: Exit.Exit<A, E>): void {
    if (this.#exit !== undefined) return
    this.#exit = exit
    for (const f of this.#waiting) {
      this.#waiting.delete(f)
      f(exit)
    }
  }
}
