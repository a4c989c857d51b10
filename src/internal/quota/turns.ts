/** Requests whose budget has been taken and whose time has not come, by that time. */
export class Turns<A> {
  readonly #all: Array<{ readonly what: A; readonly at: number }> = []

  get size(): number {
    return this.#all.length
  }

  /** Turns at the same time go in the order in which they were added. */
  add(what: A, at: number): void {
    let place = this.#all.length
    while (place > 0 && this.#all[place - 1]!.at > at) place--
    this.#all.splice(place, 0, { what, at })
  }

  /** When the first comes, `Infinity` if there is none. */
  get next(): number {
    return this.#all[0]?.at ?? Infinity
  }

  /** Takes the first away. */
  shift(): A | undefined {
    return this.#all.shift()?.what
  }

  /** Takes this one away, if it is there. */
  delete(what: A): boolean {
    const place = this.#all.findIndex((turn) => turn.what === what)
    if (place >= 0) this.#all.splice(place, 1)
    return place >= 0
  }

  all(): ReadonlyArray<A> {
    return this.#all.map(({ what }) => what)
  }
}
