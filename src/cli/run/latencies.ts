/** Counts times in buckets 2 % apart, so that millions of them take a few kilobytes. */
const GROWTH = Math.log(1.02)

export class Latencies {
  readonly #buckets = new Map<number, number>()
  #count = 0

  /** Milliseconds. */
  add(ms: number): void {
    const bucket = Math.round(Math.log(Math.max(1, ms)) / GROWTH)
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1)
    this.#count++
  }

  /** By nearest rank, to 1 %; `undefined` without any. */
  percentile(p: number): number | undefined {
    let left = Math.max(1, Math.ceil(this.#count * p))
    for (const [bucket, times] of [...this.#buckets].toSorted(([a], [b]) => a - b)) {
      left -= times
      if (left <= 0) return Math.round(Math.exp(bucket * GROWTH))
    }
    return undefined
  }
}
