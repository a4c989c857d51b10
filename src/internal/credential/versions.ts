/** The version of a credential where it is an effect: asked for anew by each request, and kept in order. */
import * as Effect from "effect/Effect"
import { thrown, type Version, version } from "./check.ts"

export class Versions {
  #asked = 0
  /** The latest to have been asked for, of those that answered. */
  #newest = 0
  #known: Version | undefined
  /** True if a failure was logged since the last answer. */
  warned = false

  /**
   * The version now. Where the effect waits, answers may come out of order: one that was asked for before the newest
   * known gives the newest, or an old answer would bring back an old secret.
   */
  readonly ask: Effect.Effect<Version, unknown>

  constructor(effect: Effect.Effect<Version, unknown>) {
    this.ask = Effect.suspend(() => {
      const asked = ++this.#asked
      return Effect.flatMap(effect, (answer) => thrown(() => this.#heard(asked, version(answer))))
    })
  }

  /** The newest version known; undefined before the first answer. */
  get known(): Version | undefined {
    return this.#known
  }

  #heard(asked: number, answer: Version): Version {
    this.warned = false
    if (this.#known !== undefined && asked < this.#newest) return this.#known
    this.#newest = asked
    return (this.#known = answer)
  }
}
