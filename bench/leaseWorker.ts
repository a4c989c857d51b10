/** The process of one variant of the lease bench: one fiber, one lease after the other. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as RcMap from "effect/RcMap"
import * as Redacted from "effect/Redacted"
import * as ClientLayer from "clientele/ClientLayer"
import * as LeaseMap from "clientele/LeaseMap"
import * as OpenAiClient from "clientele/OpenAiClient"
import { OpenAI } from "openai"
import { input, report } from "./child.ts"

export interface Work {
  readonly variant: Variant
  /**
   * True if another lease holds the client all the while, as in a crowd; else each lease ends and begins an idle time.
   */
  readonly held: boolean
  readonly times: number
}

export type Variant =
  | "RcMap.get"
  | "LeaseMap.get"
  | "LeaseMap.use"
  | "get, config"
  | "use, config"
  | "get, options"
  | "new OpenAI"

const { held, times, variant } = input<Work>()

const options = {
  apiKey: Redacted.make("sk-bench-0"),
  baseURL: "https://127.0.0.1:1/v1",
  timeout: "30 seconds",
  headers: { "x-tenant": "a" }
} as const

/** Nanoseconds of CPU for each `step`, which has been repeated often enough by then to be compiled. */
const cost = <E, R>(step: Effect.Effect<unknown, E, R>): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    // `repeatN` costs more than a lease on Effect 4.
    const loop = Effect.suspend(() => {
      let done = 0
      return Effect.whileLoop({ while: () => done < times, body: () => step, step: () => void done++ })
    })
    yield* loop
    const from = process.cpuUsage()
    yield* loop
    const { system, user } = process.cpuUsage(from)
    return ((system + user) * 1000) / times
  })

const lookup = (key: object) => Effect.succeed({ key })
const nothing = () => Promise.resolve()

const program = Effect.gen(function* () {
  const config = yield* OpenAiClient.config(options)
  const rcMap = yield* RcMap.make({ lookup, idleTimeToLive: Duration.minutes(1) })
  const leaseMap = yield* LeaseMap.make({ lookup })
  if (held) {
    yield* RcMap.get(rcMap, config)
    yield* LeaseMap.get(leaseMap, config)
    yield* OpenAiClient.get(config)
  }
  switch (variant) {
    case "RcMap.get":
      return yield* cost(Effect.scoped(RcMap.get(rcMap, config)))
    case "LeaseMap.get":
      return yield* cost(Effect.scoped(LeaseMap.get(leaseMap, config)))
    case "LeaseMap.use":
      return yield* cost(LeaseMap.use(leaseMap, config, () => Effect.void))
    case "get, config":
      return yield* cost(Effect.scoped(OpenAiClient.get(config)))
    case "use, config":
      return yield* cost(OpenAiClient.use(config, nothing))
    case "get, options":
      return yield* cost(Effect.scoped(OpenAiClient.get(options)))
    case "new OpenAI":
      return yield* cost(Effect.sync(() => new OpenAI({ apiKey: "none", baseURL: options.baseURL })))
  }
}).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()))

report(await Effect.runPromise(program))
