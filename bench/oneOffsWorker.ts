/** Two tenants in one process: what the one does, and how long the other waits meanwhile. Needs --expose-gc. */
import { setTimeout } from "node:timers/promises"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as ClientLayer from "clientele/ClientLayer"
import * as ClientMap from "clientele/ClientMap"
import * as OpenAiClient from "clientele/OpenAiClient"
import { input, report } from "./child.ts"
import { question } from "./question.ts"

export interface Work {
  readonly baseURL: string
  readonly blocks: number
  /** Requests of the tenant in a block, of each of its ways. */
  readonly block: number
  /** Before the heap is weighed the second time. */
  readonly configs: number
}

/** The 99th percentile of the bystander's times in ms: alone, beside requests of one config, and of a new one each. */
interface Block {
  readonly alone: number
  readonly one: number
  readonly many: number
}

export interface Result {
  readonly blocks: ReadonlyArray<Block>
  /** Microseconds of a request's CPU, when nobody else asks. */
  readonly cpu: { readonly one: number; readonly many: number }
  /** In MB: when as many clients are held as may be, and after all the others. */
  readonly heap: { readonly early: number; readonly end: number }
  readonly failed: number
  readonly built: number
  readonly held: number
}

const { baseURL, block: size, blocks, configs } = input<Work>()

/** A tenant's load: so many agents, each with a pause in ms after each request. */
interface Pace {
  readonly agents: number
  readonly pause: number
}
/** A few hundred requests a second: what is compared is who asks, and not a process with more to do than it can. */
const calm: Pace = { agents: 4, pause: 10 }
const bystanders: Pace = { agents: 8, pause: 4 }
const hurried: Pace = { agents: 64, pause: 0 }

/** More configurations than `capacity` holds idle clients, and requests enough for all to be compiled. */
const WARM_UP = 2_000

let failed = 0
const ask = (key: string, i: number) =>
  OpenAiClient.use({ baseURL, apiKey: Redacted.make(key) }, (client) =>
    client.chat.completions.create(question(i))
  ).pipe(
    Effect.catchAll(() =>
      Effect.sync(() => {
        failed++
      })
    )
  )

let next = 0
const fresh = () => `sk-one-off-${next++}`
const same = () => "sk-one"

/** So many requests, and how long each took in ms. */
const requests = (count: number, key: () => string, { agents, pause }: Pace) =>
  Effect.suspend(() => {
    const times: Array<number> = []
    let sent = 0
    const agent = Effect.gen(function* () {
      while (sent < count) {
        const start = performance.now()
        yield* ask(key(), sent++)
        times.push(performance.now() - start)
        if (pause > 0) yield* Effect.sleep(pause)
      }
    })
    const all = Effect.forEach(Array.from({ length: agents }), () => agent, { concurrency: "unbounded", discard: true })
    return Effect.as(all, times)
  })

const p99 = (times: Array<number>): number => times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? NaN

/** The bystander's p99 while `beside` runs. */
const watched = <A, R>(beside: Effect.Effect<A, never, R>) =>
  Effect.suspend(() => {
    const times: Array<number> = []
    const one = Effect.map(
      requests(bystanders.agents, () => "sk-bystander", bystanders),
      (some) => times.push(...some)
    )
    return Effect.map(Effect.raceFirst(beside, Effect.forever(one)), () => p99(times))
  })

/** Twice and more with a pause: finalization registries let go of things only between turns of the loop. */
const weigh = Effect.promise(async () => {
  for (let i = 0; i < 4; i++) {
    await setTimeout(50)
    globalThis.gc?.()
  }
  return process.memoryUsage().heapUsed / 2 ** 20
})

const cost = (key: () => string) =>
  Effect.suspend(() => {
    const from = process.cpuUsage()
    return Effect.map(requests(WARM_UP, key, hurried), () => {
      const { system, user } = process.cpuUsage(from)
      return (system + user) / WARM_UP
    })
  })

const result: Result = await Effect.gen(function* () {
  yield* requests(WARM_UP, same, hurried)
  yield* requests(WARM_UP, fresh, hurried)
  const all: Array<Block> = []
  for (let block = 0; block < blocks; block++) {
    const alone = yield* watched(Effect.sleep(1_000))
    const one = yield* watched(requests(size, same, calm))
    all.push({ alone, one, many: yield* watched(requests(size, fresh, calm)) })
  }
  const cpu = { one: yield* cost(same), many: yield* cost(fresh) }
  const early = yield* weigh
  yield* requests(configs, fresh, hurried)
  const end = yield* weigh
  const { built, clients } = yield* ClientMap.stats
  return { blocks: all, cpu, heap: { early, end }, failed, built, held: clients.length }
}).pipe(Effect.provide(ClientLayer.layer()), Effect.runPromise)

report(result)
