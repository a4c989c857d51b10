/** Budgets in a Redis that is far away: behind a proxy that lets each byte arrive later. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Account from "../../../src/internal/quota/credentialLimiter.ts"
import type { ModelLimiter } from "../../../src/internal/quota/modelLimiter.ts"
import { type QuotaLimits, none } from "../../../src/internal/quota/limits.ts"
import * as Ticker from "../../../src/internal/util/ticker.ts"
import * as QuotaRedis from "../../../src/QuotaRedis.ts"
import { demand, patient } from "../../support/limiters.ts"
import * as RedisServer from "../../support/redis.ts"
import { connect, processOf, recorder, reserve } from "../../support/stores.ts"
import { serveToxics } from "../../support/toxics.ts"

/** A Redis whose answers take so many milliseconds. */
const distant = (ms: number) =>
  Effect.gen(function* () {
    const { port } = yield* RedisServer.make()
    const proxy = yield* Effect.acquireRelease(
      Effect.promise(() => serveToxics(port)),
      (proxy) => Effect.promise(proxy.close)
    )
    proxy.add({ type: "latency", ms: ms / 2 }, "upstream")
    proxy.add({ type: "latency", ms: ms / 2 }, "downstream")
    return proxy
  })

/** The lane of a process of its own, with a connection and the patience that it has by default. */
const laneOf = (url: string, limits: Partial<QuotaLimits>) =>
  Effect.map(QuotaRedis.make({ url }), (store): ModelLimiter => {
    const account = Account.make(Ticker.live, (model) => ({
      budget: store.budget("digest", model),
      isAvailable: store.isAvailable
    }))
    account.join({ ...none, ...limits })
    return account.limiter("m")
  })

interface Departure {
  readonly at: number
  readonly tokens: number
}

const COST = 0.8

/** Agents that ask on and on until the scope closes, and when they went. An answer costs less than was thought. */
const crowd = (lane: ModelLimiter, agents: number, tokens: number) =>
  Effect.gen(function* () {
    const over = new AbortController()
    yield* Effect.addFinalizer(() => Effect.sync(() => over.abort()))
    const departures: Array<Departure> = []
    const agent = async (): Promise<void> => {
      const permit = await lane.enter(demand(tokens), { ...patient, signal: over.signal }).catch(() => undefined)
      if (permit === undefined) return
      departures.push({ at: performance.now(), tokens: COST * tokens })
      await new Promise((resolve) => setTimeout(resolve, 20))
      permit.settle(COST * tokens, undefined)
      permit.leave()
      return agent()
    }
    for (let i = 0; i < agents; i++) void agent()
    return departures
  })

const sum = (all: ReadonlyArray<Departure>, of: "tokens" | "requests") =>
  all.reduce((so, { tokens }) => so + (of === "tokens" ? tokens : 1), 0)

interface Case {
  readonly processes: number
  readonly of: "requests" | "tokens"
  readonly limits: { readonly requestsPerMinute?: number; readonly tokensPerMinute?: number }
}

const cases: ReadonlyArray<Case> = [
  { processes: 1, of: "requests", limits: { requestsPerMinute: 3_000 } },
  { processes: 3, of: "tokens", limits: { tokensPerMinute: 600_000 } }
]

/** Until all are under way, and for how long they are watched, in milliseconds. */
const STARTED = 4_000
const WATCHED = 6_000

/** The parts that each process used of what the budget of all allowed in that time. */
const parts = (roundTrip: number, { limits, of, processes }: Case) =>
  Effect.gen(function* () {
    const { port } = yield* distant(roundTrip)
    const lanes = yield* Effect.replicateEffect(laneOf(`redis://127.0.0.1:${port}`, limits), processes, {
      concurrency: "unbounded"
    })
    const crowds = yield* Effect.forEach(lanes, (lane) => crowd(lane, 400, of === "tokens" ? 400 : 0))
    yield* Effect.sleep(STARTED + WATCHED)
    const end = performance.now()
    const allowed = ((limits.requestsPerMinute ?? limits.tokensPerMinute ?? 0) * WATCHED) / 60_000
    return crowds.map((departures) => {
      const watched = departures.filter(({ at }) => at > end - WATCHED && at <= end)
      return sum(watched, of) / allowed
    })
  })

describe.concurrent("a budget in a distant Redis", () => {
  for (const roundTrip of [1, 200, 500]) {
    it.scopedLive(
      `of requests is used by one process, and of tokens by three, at a round trip of ${roundTrip} ms, and no more`,
      () =>
        Effect.gen(function* () {
          const { layer: logger, lines } = recorder()
          const all = Effect.forEach(cases, (one) => parts(roundTrip, one), { concurrency: "unbounded" })
          for (const [index, used] of (yield* Effect.provide(all, logger)).entries()) {
            const { of, processes } = cases[index]!
            const together = used.reduce((so, part) => so + part, 0)
            const what = `${of} by ${processes}: ${used.map((part) => part.toFixed(3)).join(" + ")}`
            assert.isAtLeast(together, 0.95, what)
            // So short a look may begin with what a busy machine let go late: 400 ms of it.
            assert.isAtMost(together, 1 + 400 / WATCHED, what)
            // By chance they get more and less, but none is left out.
            assert.isAtLeast(Math.min(...used), 0.1 / processes, what)
          }
          assert.deepStrictEqual(lines, [])
        }),
      // A machine with more to do than it can is no distance.
      { retry: 2 }
    )
  }
})

describe("a Redis that answers too slowly for a budget", () => {
  it.scopedLive("logs one warning for all budgets, with the round-trip time, until all recover", () =>
    Effect.gen(function* () {
      const { layer: logger, lines } = recorder()
      const { port } = yield* distant(100)
      const store = yield* Effect.provide(QuotaRedis.make({ url: `redis://127.0.0.1:${port}` }), logger)
      const [one, other] = [store.budget("digest", "one"), store.budget("digest", "other")]
      for (const budget of [one, other, one]) budget.trails?.(true)
      one.trails?.(false)
      yield* Effect.sleep(50)
      assert.strictEqual(lines.length, 1)
      assert.match(
        lines[0]!,
        /^WARN Redis at 127\.0\.0\.1:\d+ responds too slowly .+ requests wait although budget is left/
      )
      assert.match(lines[0]!, /A round trip takes 1\d\d ms/)
      other.trails?.(false)
      yield* Effect.sleep(50)
      assert.deepStrictEqual(lines.slice(1), [`INFO Redis at 127.0.0.1:${port} responds in time for the quotas again`])
    })
  )
})

describe("a process far from Redis", () => {
  it.scopedLive("may bring a client of its own, whose handshake takes longer than a command may", () =>
    Effect.gen(function* () {
      const { layer: logger, lines } = recorder()
      const { port } = yield* distant(300)
      const client = yield* connect(port)
      const store = yield* Effect.provide(QuotaRedis.make({ client, commandTimeout: 500 }), logger)
      assert.deepStrictEqual([store.isAvailable(), lines], [true, []])
    })
  )

  it.scopedLive("does not lose Redis if it was too busy to read the reply", () =>
    Effect.gen(function* () {
      const { port } = yield* distant(50)
      const store = yield* processOf(port, { commandTimeout: 300 })
      const grant = yield* Effect.fork(reserve(store))
      yield* Effect.sleep(10)
      const until = performance.now() + 500
      while (performance.now() < until);
      assert.strictEqual((yield* Fiber.join(grant)).taken, 1)
    })
  )
})
