import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import fc from "fast-check"
import { Redis } from "ioredis"
import { grantOf, reserveArgs } from "../../../src/internal/quota/redis/makeStore.ts"
import * as scripts from "../../../src/internal/quota/redis/scripts.ts"
import type { Grant, Rates } from "../../../src/internal/quota/store.ts"
import * as RedisServer from "../../support/redis.ts"

const limits = (rates: Partial<Rates>): Rates => ({
  requestsPerMinute: Infinity,
  tokensPerMinute: Infinity,
  burst: 1,
  ...rates
})

/** The scripts as they are, but for the clock: the time is what the test says, in milliseconds. */
const budget = (redis: Redis, rates: Rates, lateness = 0) => {
  const run = async (now: number, { lua }: scripts.Script, args: ReadonlyArray<number>): Promise<unknown> => {
    const timed = lua.replace('redis.call("TIME")', 'redis.call("HMGET", "clock", "seconds", "micros")')
    assert.notStrictEqual(timed, lua)
    const micros = Math.round(now * 1000)
    const seconds = Math.floor(micros / 1e6)
    redis.hset("clock", { seconds: 1_800_000_000 + seconds, micros: micros - seconds * 1e6 }).catch(() => {})
    return redis.eval(timed, 1, "budget", ...args)
  }
  const perMinute = (limit: number): number => (60_000_000 + lateness * 1000) / limit
  return {
    reserve: async (now: number, costs: ReadonlyArray<number>, ahead = 0): Promise<Grant> =>
      grantOf(await run(now, scripts.reserve, reserveArgs(costs, rates, lateness, ahead))),
    correct: (now: number, requests: number, tokens: number) =>
      run(now, scripts.correct, [
        requests * perMinute(rates.requestsPerMinute),
        tokens * perMinute(rates.tokensPerMinute)
      ]),
    close: (now: number, ms: number) => run(now, scripts.close, [ms * 1000])
  }
}

const withRedis = <A>(f: (redis: Redis) => Promise<A>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const redis = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(port)),
        (redis) => Effect.sync(() => redis.disconnect())
      )
      return yield* Effect.promise(() => f(redis))
    })
  )

/** A client with more to do than the budget lets it, which asks again exactly at the given time. */
const hurry = async (one: ReturnType<typeof budget>, until: number, cost: number): Promise<Array<number>> => {
  const departures: Array<number> = []
  for (let now = 0; now < until;) {
    const { taken, wait } = await one.reserve(now, [cost])
    if (taken === 1) departures.push(now)
    else now += wait
  }
  return departures
}

/** The most that any minute holds. */
const densest = (departures: ReadonlyArray<number>): number => {
  let [most, first] = [0, 0]
  departures.forEach((at, last) => {
    // To a microsecond: what is exactly a minute later belongs to the next.
    while (at - departures[first]! > 60_000 - 1e-3) first++
    most = Math.max(most, last - first + 1)
  })
  return most
}

describe("a budget in Redis", () => {
  it.live("of 7 requests a minute lets one go every seventh of a minute", () =>
    withRedis(async (redis) => {
      const departures = await hurry(budget(redis, limits({ requestsPerMinute: 7 })), 179_999, 1)
      assert.strictEqual(departures.length, 21)
      // A clock that counts in microseconds is late by less than one each time.
      departures.forEach((at, index) => assert.closeTo(at, (index * 60_000) / 7, index * 1e-3 + 1e-6))
    })
  )

  it.live("of 1,000,000 tokens a minute lets 1,000,000 go, whatever they come in", () =>
    withRedis(async (redis) => {
      for (const cost of [800, 2_500, 40_000]) {
        await redis.del("budget")
        const departures = await hurry(budget(redis, limits({ tokensPerMinute: 1_000_000 })), 59_999, cost)
        assert.strictEqual(departures.length, Math.ceil(1_000_000 / cost))
      }
    })
  )

  it.live("lets a cost above the limit go, and makes those behind it wait until it is paid for", () =>
    withRedis(async (redis) => {
      const one = budget(redis, limits({ tokensPerMinute: 1_000 }))
      assert.deepStrictEqual(await one.reserve(0, [3_000, 1]), { taken: 1, wait: 180_000, closed: 0, tokensLeft: 0 })
      assert.deepStrictEqual(await one.reserve(179_999, [1]), { taken: 0, wait: 1, closed: 0, tokensLeft: 1_000 })
      assert.deepStrictEqual(await one.reserve(180_000, [1]), { taken: 1, wait: 0, closed: 0, tokensLeft: 999 })
    })
  )

  it.live("takes from the front only: a cheap request does not pass a dear one", () =>
    withRedis(async (redis) => {
      const one = budget(redis, limits({ tokensPerMinute: 60 }))
      assert.deepStrictEqual(await one.reserve(0, [1, 100, 1]), { taken: 1, wait: 1_000, closed: 0, tokensLeft: 59 })
      assert.deepStrictEqual(await one.reserve(1_000, [100, 1]), { taken: 1, wait: 100_000, closed: 0, tokensLeft: 0 })
      assert.deepStrictEqual(await one.reserve(2_000, [1]), { taken: 0, wait: 99_000, closed: 0, tokensLeft: 0 })
    })
  )

  it.live("lets the burst go at once, and saves up no more however long it is idle", () =>
    withRedis(async (redis) => {
      const one = budget(redis, limits({ requestsPerMinute: 60, burst: 3 }))
      for (const start of [0, 3_600_000]) {
        const five = [1, 1, 1, 1, 1]
        assert.deepStrictEqual(await one.reserve(start, five), {
          taken: 3,
          wait: 1_000,
          closed: 0,
          tokensLeft: Infinity
        })
        assert.strictEqual((await one.reserve(start + 1_000, five)).taken, 1)
        assert.strictEqual((await one.reserve(start + 3_000, five)).taken, 2)
      }
    })
  )

  it.live("takes all without a limit", () =>
    withRedis(async (redis) => {
      const grant = await budget(redis, limits({})).reserve(0, [5, 6, 7])
      assert.deepStrictEqual(grant, { taken: 3, wait: 0, closed: 0, tokensLeft: Infinity })
    })
  )

  it.live("can't be broken by costs that are not numbers", () =>
    withRedis(async (redis) => {
      const one = budget(redis, limits({ tokensPerMinute: 60_000 }))
      const odd = [Number.NaN, -5, 0, 10]
      assert.deepStrictEqual(await one.reserve(0, odd), { taken: 4, wait: 0, closed: 0, tokensLeft: 59_990 })
      const { taken, wait } = await one.reserve(10, [Infinity, 1])
      assert.deepStrictEqual([taken, wait], [1, 1e9], "a billion tokens at a thousand a second")
    })
  )

  it.live("forgives lateness to requests that waited, and to no others", () =>
    withRedis(async (redis) => {
      // With what is forgiven, one every 10 ms.
      const one = budget(redis, limits({ requestsPerMinute: 6_020 }), 200)
      const many = Array.from({ length: 64 }, () => 1)
      assert.strictEqual((await one.reserve(0, [1])).taken, 1)
      assert.strictEqual((await one.reserve(1_000, [1])).taken, 1)
      const first = await one.reserve(2_000, many)
      assert.deepStrictEqual([first.taken, first.wait], [1, 10], "nobody had waited")
      assert.strictEqual((await one.reserve(2_105, many)).taken, 10, "those that were due at 2,010, ..., 2,100")
      assert.strictEqual((await one.reserve(9_000, many)).taken, 1, "those who waited have not come back in time")
    })
  )

  it.live("makes waiters for a fast one ask together", () =>
    withRedis(async (redis) => {
      const one = budget(redis, limits({ requestsPerMinute: 60_200 }), 200)
      assert.strictEqual((await one.reserve(0, [1, 1])).wait, 1)
      await redis.del("budget")
      assert.strictEqual((await one.reserve(0, [1, 1, 1])).wait, 2)
      await redis.del("budget")
      assert.strictEqual(
        (
          await one.reserve(
            0,
            Array.from({ length: 64 }, () => 1)
          )
        ).wait,
        5
      )
    })
  )

  it.live("closes for the given time, never for less, and opens without a rush", () =>
    withRedis(async (redis) => {
      const one = budget(redis, limits({ requestsPerMinute: 6_020 }), 200)
      const many = Array.from({ length: 64 }, () => 1)
      await one.close(0, 5_000)
      await one.close(0, 1_000)
      assert.deepStrictEqual(await one.reserve(1_000, many), {
        taken: 0,
        wait: 4_000,
        closed: 4_000,
        tokensLeft: Infinity
      })
      await one.close(1_000, 6_000)
      assert.deepStrictEqual(await one.reserve(5_000, []), { taken: 0, wait: 0, closed: 2_000, tokensLeft: Infinity })
      assert.strictEqual((await one.reserve(6_999, many)).taken, 0)
      assert.strictEqual((await one.reserve(7_000, many)).taken, 1, "not those of the time while it was closed")
    })
  )

  it.live("returns for requests ahead the time of each turn, and of the next call", () =>
    withRedis(async (redis) => {
      const one = budget(redis, limits({ requestsPerMinute: 600, tokensPerMinute: 60_000 }))
      const four = [200, 10, 10, 10]
      const { idle, ...first } = await one.reserve(0, four, 350)
      assert.deepStrictEqual(first, { taken: 3, wait: 50, closed: 0, after: [0, 200, 300], tokensLeft: 59_690 })
      assert.isAbove(idle!, 1e9, "since 1970")
      assert.deepStrictEqual(await one.reserve(50, [10, 10], 350), {
        taken: 1,
        wait: 100,
        closed: 0,
        after: [350],
        idle: 0,
        tokensLeft: 59_640
      })
      const late = await one.reserve(1_000, [10], 350)
      assert.deepStrictEqual([late.after, late.idle], [[0], 500], "nobody came for so long")
    })
  )

  it.live("lets near processes take turns as far ahead as distant ones", () =>
    withRedis(async (redis) => {
      const one = budget(redis, limits({ requestsPerMinute: 6_000 }))
      const many = Array.from({ length: 64 }, () => 1)
      assert.strictEqual((await one.reserve(0, many, 500)).taken, 51)
      const near = await one.reserve(100, many, 20)
      // The distant one is forgotten by and by, unless it comes again.
      assert.deepStrictEqual([near.taken, near.after?.[0]], [9, 410])
      for (let i = 0; i < 500; i++) await one.reserve(100, [1], 20)
      assert.strictEqual((await one.reserve(200, many, 20)).taken, 0)
    })
  )

  it.live("promises no turns behind a closed gate", () =>
    withRedis(async (redis) => {
      const one = budget(redis, limits({ requestsPerMinute: 600 }))
      await one.close(0, 200)
      const { after, closed, taken, wait } = await one.reserve(0, [1, 1], 1_000)
      assert.deepStrictEqual([taken, wait, closed, after], [0, 200, 200, []])
    })
  )

  it.live("takes corrections both ways", () =>
    withRedis(async (redis) => {
      const one = budget(redis, limits({ requestsPerMinute: 60, tokensPerMinute: 60_000 }))
      await one.reserve(0, [5_000])
      await one.correct(0, 0, -2_000)
      assert.deepStrictEqual(await one.reserve(500, [1]), { taken: 0, wait: 2_500, closed: 0, tokensLeft: 57_500 })
      await one.correct(500, 0, 3_000)
      assert.strictEqual((await one.reserve(500, [1])).wait, 5_500)
      await one.correct(500, 10, 0)
      assert.strictEqual((await one.reserve(500, [1])).wait, 10_500)
      await one.correct(500, -11, -5_500)
      assert.strictEqual((await one.reserve(500, [1])).taken, 1)
      await one.correct(100_000, 0, 7_000)
      assert.strictEqual((await one.reserve(100_000, [1])).wait, 7_000, "more is paid for from now on")
    })
  )

  it.live("has nothing to give back for costs paid long ago", () =>
    withRedis(async (redis) => {
      const one = budget(redis, limits({ requestsPerMinute: 60, tokensPerMinute: 60_000 }))
      await one.reserve(0, [1_000])
      await one.correct(60_000, -1, -1_000)
      assert.deepStrictEqual(await one.reserve(60_000, [1_000, 1]), {
        taken: 1,
        wait: 1_000,
        closed: 0,
        tokensLeft: 59_000
      })
    })
  )

  it.live("is used up by processes whose timers are late, and no minute holds more than the limit and the burst", () =>
    withRedis((redis) =>
      fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 20, max: 300 }),
          fc.integer({ min: 1, max: 4 }),
          fc.array(fc.integer({ min: 0, max: 190 }), { minLength: 3, maxLength: 40 }),
          fc.integer({ min: 1, max: 3 }),
          async (requestsPerMinute, burst, lateBy, processes) => {
            await redis.del("budget")
            const one = budget(redis, limits({ requestsPerMinute, burst }), 200)
            const wakes = Array.from({ length: processes }, (_, index) => index * 7)
            const departures: Array<number> = []
            for (let step = 0; ; step++) {
              const who = wakes.indexOf(Math.min(...wakes))
              const now = wakes[who]!
              if (now > 125_000) break
              const { taken, wait } = await one.reserve(now, [1, 1, 1, 1, 1, 1])
              for (let i = 0; i < taken; i++) departures.push(now)
              wakes[who] = now + wait + lateBy[step % lateBy.length]!
            }
            assert.isAtMost(densest(departures), requestsPerMinute + burst - 1)
            assert.isAtLeast(departures.length, Math.floor((requestsPerMinute * 124_000) / 60_200))
          }
        ),
        { numRuns: 12 }
      )
    )
  )
})
