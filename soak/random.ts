/** Chance that can be had again: the same seed draws the same. */

export interface Random {
  /** From 0 to 1, without 1. */
  readonly next: () => number
  readonly between: (low: number, high: number) => number
  readonly pick: <A>(from: ReadonlyArray<A>) => A
  /** All of them, each once, in a new order. */
  readonly shuffled: <A>(all: ReadonlyArray<A>) => ReadonlyArray<A>
}

/** Mulberry32: 32 bits of state, which is plenty for drawing faults. */
export const random = (seed: number): Random => {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const pick = <A>(from: ReadonlyArray<A>): A => from[Math.floor(next() * from.length)]!
  return {
    next,
    between: (low, high) => low + next() * (high - low),
    pick,
    shuffled: (all) => {
      const rest = [...all]
      return all.map(() => rest.splice(Math.floor(next() * rest.length), 1)[0]!)
    }
  }
}
