/** Place and form of results. */
export const OUT_FORMATS = ["jsonl", "csv", "tsv"] as const

export type OutFormat = (typeof OUT_FORMATS)[number]

export interface OutPlan {
  /** A path, or `-` for standard output. */
  readonly file: string
  readonly format: OutFormat
  readonly keep: "all" | "none" | ReadonlyArray<string>
  readonly order: "input" | "completion"
  readonly overwrite: boolean
}
