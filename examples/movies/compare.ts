/** The same rows, agents and server, two ways: each in a process that may open 1,024 files. */
import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { fileURLToPath } from "node:url"
import { count } from "./format.ts"
import * as Interrupted from "./interrupted.ts"
import type { Report } from "./measure.ts"
import * as Progress from "./progress.ts"
import * as Prompt from "./prompt.ts"
import { Message, Order, ways } from "./protocol.ts"
import * as Rows from "./rows.ts"
import * as Sandbox from "./sandbox.ts"
import * as Table from "./table.ts"
import * as Verdict from "./verdict.ts"

const OPEN_FILES = 1024
const TEMPLATE = "Sum up in one sentence: {{Title}} ({{Major Genre}}, {{Release Date}})"
const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url))
const MOVIES = fileURLToPath(new URL("../data/movies.json", import.meta.resolve("vega-datasets")))

export interface Options {
  readonly concurrency: number
  readonly limit: number
  readonly out: string
  /** Milliseconds that the sandbox takes for an answer. */
  readonly latency: number
}

/** A worker ended without a report. */
export class WorkerFailed extends Data.TaggedError("WorkerFailed")<{ readonly message: string }> {}

/** Succeeds with the exit code. */
export const run = (options: Options) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "clientele-" })
    const caFile = `${folder}/ca.pem`
    const sandbox = yield* Sandbox.start({ latency: options.latency, caFile })
    const total = yield* Prompt.check(TEMPLATE, Stream.take(Rows.read(MOVIES), options.limit))
    const { concurrency } = options
    yield* Console.log(
      `${count(total)} movies, ${count(concurrency)} agents at a time, 12 configurations of 3 SDKs, ` +
        `${count(OPEN_FILES)} files a process, ${options.latency / 1000} s an answer\n`
    )

    const measure = (way: (typeof ways)[number], out: string) =>
      Effect.gen(function* () {
        yield* sandbox.resetCounts
        const order = { way, rows: MOVIES, template: TEMPLATE, total, concurrency, out, baseURL: sandbox.baseURL }
        const report = yield* work(order, caFile)
        return { ...report, sockets: yield* sandbox.peakSockets }
      }).pipe(Interrupted.tellRows(out))

    const outs = { ours: options.out, theirs: options.out.replace(/(\.\w+)?$/, "-today$1") }
    const ours = yield* measure(ways[0], outs.ours)
    const theirs = yield* measure(ways[1], outs.theirs)
    const lines = [
      "",
      Table.render({ [ways[0]]: ours, [ways[1]]: theirs }, "the server's count"),
      "",
      Verdict.compare(ours, theirs),
      `Results: ${outs.ours} and ${outs.theirs}`,
      ...Verdict.advice(ours, outs.ours)
    ]
    yield* Console.log(lines.join("\n"))
    return ours.done === total ? 0 : 1
  }).pipe(Effect.scoped)

/** Runs a worker, shows how it goes, and succeeds with its report. */
const work = (order: Order, caFile: string) =>
  Effect.gen(function* () {
    const limited = `ulimit -n ${OPEN_FILES}; exec "$@"`
    const child = yield* Command.make(
      "sh",
      "-c",
      limited,
      "sh",
      process.execPath,
      WORKER,
      Schema.encodeSync(Order)(order)
    ).pipe(Command.env({ NODE_EXTRA_CA_CERTS: caFile }), Command.stderr("inherit"), Command.start)
    const show = Progress.make(order.way.padEnd(18))
    let report: Report | undefined
    yield* child.stdout.pipe(
      Stream.decodeText(),
      Stream.splitLines,
      Stream.mapEffect(Schema.decodeUnknown(Message)),
      Stream.runForEach((message) => {
        if ("problem" in message) return Effect.fail(new WorkerFailed({ message: message.problem }))
        if ("started" in message) return show(message)
        return Effect.sync(() => (report = message))
      })
    )
    if (report !== undefined) return report
    return yield* new WorkerFailed({ message: `the worker ended with exit code ${yield* child.exitCode}` })
  }).pipe(
    Effect.scoped,
    Effect.mapError((error) => new WorkerFailed({ message: `${order.way}: ${error.message}` }))
  )
