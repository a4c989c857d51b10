/** Messages between the parent and a worker: lines of JSON. */
import * as Schema from "effect/Schema"
import { Progress, Report } from "./measure.ts"

export const ways = ["clientele", "a client per agent"] as const

/** The worker's only argument. */
export const Order = Schema.parseJson(
  Schema.Struct({
    way: Schema.Literal(...ways),
    rows: Schema.String,
    template: Schema.String,
    total: Schema.NonNegativeInt,
    concurrency: Schema.Int,
    out: Schema.String,
    baseURL: Schema.Struct({ openai: Schema.String, groq: Schema.String, cerebras: Schema.String })
  })
)
export type Order = typeof Order.Type

/** A line of the worker's output. The last is the report, or why there is none. */
export const Message = Schema.parseJson(Schema.Union(Report, Progress, Schema.Struct({ problem: Schema.String })))
