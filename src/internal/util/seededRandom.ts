/** Random numbers that follow from a seed, the same with every Node and every Effect. */

export type Random = () => number

/** mulberry32: numbers in [0, 1) that follow from the seed. */
export const random = (seed: number): Random => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
