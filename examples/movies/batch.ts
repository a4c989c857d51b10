/** One agent a row, many at a time, one line of JSON for each in a file. A row that fails does not stop the others. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schedule from "effect/Schedule"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import { dirname } from "node:path"
import type { Agent } from "./agent.ts"
import type { Meter, Progress } from "./measure.ts"
import * as Prompt from "./prompt.ts"
import type { NumberedRow } from "./rows.ts"

/** The results can't be written. */
export class OutputError extends Data.TaggedError("OutputError")<{ readonly message: string }> {}

export interface Batch<E1, R1, E2 extends Error, R2> {
  readonly rows: Stream.Stream<NumberedRow, E1, R1>
  readonly template: string
  readonly agentOf: (row: NumberedRow) => Agent<E2, R2>
  readonly concurrency: number
  readonly out: string
  readonly meter: Meter
  readonly show: (progress: Progress) => Effect.Effect<void>
}

export const run = <E1, R1, E2 extends Error, R2>(batch: Batch<E1, R1, E2, R2>) =>
  Effect.gen(function* () {
    const { meter, out } = batch
    const fs = yield* FileSystem.FileSystem
    const unwritable = (error: Error) => new OutputError({ message: `can't write ${out}: ${error.message}` })
    yield* Effect.mapError(fs.makeDirectory(dirname(out), { recursive: true }), unwritable)
    yield* every(
      "100 millis",
      Effect.sync(() => meter.lookAtDescriptors())
    )
    yield* every(
      "200 millis",
      Effect.suspend(() => batch.show(meter.progress()))
    )
    yield* batch.rows.pipe(
      Stream.mapEffect((row) => result(batch, row), { concurrency: batch.concurrency, unordered: true }),
      Stream.map((result) => `${JSON.stringify(result)}\n`),
      Stream.encodeText,
      Stream.run(fs.sink(out).pipe(Sink.mapError(unwritable)))
    )
    yield* batch.show(meter.progress())
  }).pipe(Effect.scoped)

const every = <R>(interval: Duration.DurationInput, effect: Effect.Effect<void, never, R>) =>
  Effect.forkScoped(Effect.repeat(effect, Schedule.spaced(interval)))

const result = <E1, R1, E2 extends Error, R2>({ agentOf, meter, template }: Batch<E1, R1, E2, R2>, row: NumberedRow) =>
  Effect.suspend(() => {
    meter.start()
    const prompt = Either.flatMap(row.row, (fields) => Prompt.fill(template, fields))
    return Effect.timed(Effect.flatMap(prompt, agentOf(row)))
  }).pipe(
    Effect.map(([took, answer]) => {
      const ms = Math.round(Duration.toMillis(took))
      meter.done(ms)
      return { row: row.number, ...answer, ms }
    }),
    Effect.catchAll((error) => {
      meter.failed(error.message)
      return Effect.succeed({ row: row.number, error: error.message })
    })
  )
