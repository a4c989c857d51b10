/** The value of a series, whatever the Effect whose registry has it. */

export type SeriesState =
  | { readonly type: "counter" | "gauge"; readonly value: number | bigint }
  | {
      readonly type: "histogram"
      /** Finite upper bounds and counts, each with those below it: above them is `count`. */
      readonly buckets: ReadonlyArray<readonly [most: number, count: number]>
      readonly count: number
      readonly sum: number
    }

export interface SeriesSnapshot {
  readonly name: string
  readonly description: string | undefined
  readonly labels: ReadonlyArray<readonly [name: string, value: string]>
  readonly state: SeriesState
}
