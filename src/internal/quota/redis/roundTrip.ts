/** Round-trip time in milliseconds, as TCP measures it (RFC 6298): a mean, and how much it varies. */

/** The weights of a new sample in the mean and in its variation. */
const MEAN_WEIGHT = 1 / 8
const VARIATION_WEIGHT = 1 / 4
/** Variations above the mean that hardly any answer exceeds. */
const VARIATION_FACTOR = 4
/** The variation that one sample is thought to have: TCP's half would have the first question ask too far ahead. */
const FIRST_VARIATION = 1 / 8

export interface RoundTrip {
  readonly add: (ms: number) => void
  readonly mean: () => number
  /** Bound that hardly any answer exceeds; 0 before the first. */
  readonly most: () => number
}

export const make = (): RoundTrip => {
  let mean: number | undefined
  let variation = 0
  return {
    add: (ms) => {
      if (mean === undefined) {
        mean = ms
        variation = ms * FIRST_VARIATION
        return
      }
      variation += VARIATION_WEIGHT * (Math.abs(ms - mean) - variation)
      mean += MEAN_WEIGHT * (ms - mean)
    },
    mean: () => mean ?? 0,
    most: () => (mean ?? 0) + VARIATION_FACTOR * variation
  }
}
