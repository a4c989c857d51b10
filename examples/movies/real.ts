/** One agent for each row of a file, with a real provider. */
import * as ClientLayer from "clientele/ClientLayer"
import * as ClientMap from "clientele/ClientMap"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Agent from "./agent.ts"
import * as Batch from "./batch.ts"
import type { Job } from "./chat.ts"
import * as Interrupted from "./interrupted.ts"
import { Meter } from "./measure.ts"
import * as Progress from "./progress.ts"
import * as Prompt from "./prompt.ts"
import * as Rows from "./rows.ts"
import * as Table from "./table.ts"
import * as Verdict from "./verdict.ts"

export interface Options {
  readonly job: Job
  readonly rows: string
  readonly prompt: string
  readonly out: string
  readonly concurrency: number
  readonly limit: number
}

/** Succeeds with the exit code. */
export const run = ({ concurrency, job, limit, out, prompt, rows: file }: Options) =>
  Effect.gen(function* () {
    const agent = yield* Agent.make(job)
    const rows = Rows.read(file).pipe(Stream.take(limit))
    const total = yield* Prompt.check(prompt, rows)
    if (total === 0) return yield* new Rows.RowsError({ message: `${file} has no rows` })
    const meter = new Meter(total)
    const show = Progress.make(job.provider)
    const { stats } = yield* ClientMap.ClientMap
    let sockets = 0
    const lookAtSockets = Effect.map(stats, (now) => {
      sockets = Math.max(sockets, now.sockets)
    })
    yield* Batch.run({
      rows,
      template: prompt,
      agentOf: () => agent,
      concurrency,
      out,
      meter,
      show: (progress) => Effect.zipRight(lookAtSockets, show(progress))
    }).pipe(Interrupted.tellRows(out))
    const { built, hits } = yield* stats
    const report = meter.report({ clients: built, hits, sockets })
    const lines = [
      "",
      Table.render({ [job.provider]: report }, "sampled"),
      "",
      `Results: ${out}`,
      ...Verdict.advice(report, out)
    ]
    yield* Console.log(lines.join("\n"))
    return report.failed === 0 ? 0 : 1
  }).pipe(Effect.provide(ClientLayer.layer()))
