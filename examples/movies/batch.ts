/** One agent a row, many at a time, one line of JSON for each in a file. A row that fails does not stop the others. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { Agent } from "./agent.ts"
import type { Meter, Progress } from "./measure.ts"
import * as Output from "./output.ts"
import * as Prompt from "./prompt.ts"
import type { NumberedRow } from "./rows.ts"

export interface Batch<E1, R1, E2 extends Error, R2> {
  readonly rows: Stream.Stream<NumberedRow, E1, R1>
  readonly template: string
  readonly agentOf: (row: NumberedRow) => Agent<E2, R2>
  readonly concurrency: number
  readonly out: string
  readonly meter: Meter
  /** Called now and then, and at the end. */
  readonly show: (progress: Progress) => Effect.Effect<void>
}

export const run = <E1, R1, E2 extends Error, R2>(batch: Batch<E1, R1, E2, R2>) =>
  Effect.gen(function* () {
    const { concurrency, meter, out, rows, show } = batch
    const write = yield* Output.open(out)
    yield* every("100 millis", () => Effect.sync(() => meter.lookAtDescriptors()))
    yield* every("200 millis", () => show(meter.progress()))
    const work = (row: NumberedRow) => agent(batch, row, write)
    yield* Stream.runDrain(Stream.mapEffect(rows, work, { concurrency, unordered: true }))
    yield* show(meter.progress())
  }).pipe(Effect.scoped)

const every = (interval: Duration.DurationInput, look: () => Effect.Effect<void>) =>
  Effect.forkScoped(Effect.repeat(Effect.suspend(look), Schedule.spaced(interval)))

/** A row's way from prompt to line. It counts as done when its line is in the file. */
const agent = <E1, R1, E2 extends Error, R2>(
  { agentOf, meter, template }: Batch<E1, R1, E2, R2>,
  row: NumberedRow,
  write: Output.Write
) =>
  Effect.gen(function* () {
    meter.start()
    const prompt = Either.flatMap(row.row, (fields) => Prompt.fill(template, fields))
    const asked = yield* Effect.either(Effect.timed(Effect.flatMap(prompt, agentOf(row))))
    if (Either.isLeft(asked)) {
      const error = asked.left.message
      yield* write(JSON.stringify({ row: row.number, error }))
      return meter.failed(error)
    }
    const [took, answer] = asked.right
    const ms = Math.round(Duration.toMillis(took))
    yield* write(JSON.stringify({ row: row.number, ...answer, ms }))
    return meter.done(ms)
  })
