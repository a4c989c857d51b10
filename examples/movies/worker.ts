/** One way through the rows, in a process of its own. Says on standard output how it goes, a line of JSON at a time. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as ClientLayer from "clientele/ClientLayer"
import * as ClientMap from "clientele/ClientMap"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Agent from "./agent.ts"
import * as Batch from "./batch.ts"
import { Meter } from "./measure.ts"
import { Message, Order } from "./protocol.ts"
import * as Rows from "./rows.ts"
import * as Setups from "./setups.ts"
import * as Today from "./today.ts"

const say = (message: typeof Message.Type) =>
  Effect.sync(() => process.stdout.write(`${Schema.encodeSync(Message)(message)}\n`))

/** Rows take turns over the setups. */
const run = <E extends Error, R>(order: Order, agents: ReadonlyArray<Agent.Agent<E, R>>, meter: Meter) =>
  Batch.run({
    rows: Rows.read(order.rows).pipe(Stream.take(order.total)),
    template: order.template,
    agentOf: ({ number }) => agents[number % agents.length]!,
    concurrency: order.concurrency,
    out: order.out,
    meter,
    show: say
  })

const clientele = (order: Order) =>
  Effect.gen(function* () {
    const agents = yield* Effect.forEach(Setups.make(order.baseURL), ({ apiKey, job, ...options }) =>
      Agent.make(job, { ...options, apiKey: Redacted.make(apiKey) })
    )
    const meter = new Meter(order.total)
    yield* run(order, agents, meter)
    const { built, hits } = yield* ClientMap.stats
    return meter.report({ clients: built, hits, sockets: null })
  }).pipe(Effect.provide(ClientLayer.layer()))

const today = (order: Order) =>
  Effect.gen(function* () {
    let clients = 0
    const agents = Setups.make(order.baseURL).map((setup) => Today.make(setup, () => clients++))
    const meter = new Meter(order.total)
    yield* run(order, agents, meter)
    return meter.report({ clients, hits: null, sockets: null })
  })

const main = Effect.gen(function* () {
  const order = yield* Schema.decodeUnknown(Order)(process.argv[2])
  const report = yield* order.way === "clientele" ? clientele(order) : today(order)
  yield* say(report)
}).pipe(Effect.catchAll((error) => say({ problem: error.message })))

/** Standard output is for messages alone. */
const logger = Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger))

/** The parent has ended when standard input ends, perhaps before the last message is written. */
process.stdout.on("error", () => {})
const orphaned = Effect.async<void>((resume) => {
  process.stdin.on("end", () => resume(Effect.void)).resume()
  return Effect.sync(() => process.stdin.destroy())
})

NodeRuntime.runMain(Effect.raceFirst(main, orphaned).pipe(Effect.provide([NodeFileSystem.layer, logger])), {
  disablePrettyLogger: true
})
