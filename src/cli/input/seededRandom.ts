import { PCGRandom } from "effect/Utils"

export interface SeededRandom {
  /** A whole number from 0 to below `max`. */
  readonly integer: (max: number) => number
}

/** The same numbers for the same seed. */
export const seededRandom = (seed: number): SeededRandom => new PCGRandom(seed)
