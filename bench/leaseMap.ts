/**
 * What a lease costs, against bare RcMap and against what people do without: a client an agent. Nanoseconds of CPU, the
 * median of five runs, taken in turns so that a busy machine is unfair to all alike. Run it directly:
 * `node bench/leaseMap.ts`.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as RcMap from "effect/RcMap"
import OpenAI from "openai"
import * as LeaseMap from "../src/LeaseMap.ts"

const runs = 5
const times = 20_000

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN

const measure = <E, R>(
  steps: Readonly<Record<string, Effect.Effect<unknown, E, R>>>
): Effect.Effect<Record<string, number>, E, R> =>
  Effect.gen(function* () {
    const results = new Map<string, Array<number>>()
    for (let run = -1; run < runs; run++) {
      for (const [name, step] of Object.entries(steps)) {
        const start = process.cpuUsage()
        yield* Effect.repeatN(step, times - 1)
        const { system, user } = process.cpuUsage(start)
        // The first is for warming up.
        if (run >= 0) results.set(name, [...(results.get(name) ?? []), ((user + system) * 1000) / times])
      }
    }
    return Object.fromEntries([...results].map(([name, values]) => [name, Math.round(median(values))]))
  })

const lookup = (key: string) => Effect.succeed({ key })

const program = Effect.gen(function* () {
  const rcMap = yield* RcMap.make({ lookup, idleTimeToLive: Duration.minutes(1) })
  let handle: LeaseMap.Handle | undefined
  const leaseMap = yield* LeaseMap.make({
    lookup: (key: string, self) =>
      Effect.zipRight(
        Effect.sync(() => void (handle = self)),
        lookup(key)
      )
  })
  const steps = (state: string) => ({
    [`RcMap get, ${state}`]: Effect.scoped(RcMap.get(rcMap, "key")),
    [`LeaseMap get, ${state}`]: Effect.scoped(LeaseMap.get(leaseMap, "key")),
    [`LeaseMap use, ${state}`]: LeaseMap.use(leaseMap, "key", () => Effect.void),
    [`Handle retain and release, ${state}`]: Effect.sync(() => {
      handle?.retain()
      handle?.release()
    })
  })
  const idle = yield* measure(steps("idle"))
  yield* RcMap.get(rcMap, "key")
  yield* LeaseMap.get(leaseMap, "key")
  const leased = yield* measure(steps("leased"))
  const floor = yield* measure({
    "Effect.scoped alone": Effect.scoped(Effect.void),
    "new OpenAI()": Effect.sync(() => new OpenAI({ apiKey: "none" }))
  })
  return { ...idle, ...leased, ...floor }
}).pipe(Effect.scoped)

/** Nanoseconds by what was measured. */
export const run = (): Promise<Record<string, number>> => Effect.runPromise(program)

if (import.meta.main) console.table(await run())
