export interface SeededRandom {
  /** A whole number from 0 to below `max`. */
  readonly integer: (max: number) => number
}

/** The same numbers for the same seed: "mulberry32", since Effect 4 exports no generator of its own. */
export const seededRandom = (seed: number): SeededRandom => {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  return { integer: (max) => Math.floor((next() / 2 ** 32) * max) }
}
