/** Tests of the limit that is found out: of each rule by itself, and of all together against simulated providers. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as Adaptive from "../../src/internal/quota/adaptive.ts"
import { adaptiveDefaults } from "../../src/internal/config/adaptive.ts"
import { lognormal, randomOf, run } from "./simulator.ts"

const make = (settings: Partial<Adaptive.Settings> = {}): Adaptive.Adaptive =>
  Adaptive.make({ ...adaptiveDefaults, ...settings })

const SEEDS = [1, 2, 3]

/** An answer after about so many milliseconds. */
const about =
  (ms: number) =>
  (random: () => number): number =>
    ms * (0.9 + 0.2 * random())

const atLeast = (actual: number, least: number, what: string): void =>
  assert.isTrue(actual >= least, `${what}: ${actual} is below ${least}`)
const atMost = (actual: number, most: number, what: string): void =>
  assert.isTrue(actual <= most, `${what}: ${actual} is above ${most}`)

/** `count` answers to requests that filled the limit, each a millisecond after the one before. */
const answers = (adaptive: Adaptive.Adaptive, count: number, from: number, latency = 200): number => {
  for (let i = 1; i <= count; i++) adaptive.answered(from + i, from + i - latency, adaptive.limit())
  return from + count
}

const fallsAndReturns = (now: number): number => (now < 40_000 || now >= 80_000 ? 200 : 20)
const goesAway = (now: number): number => (now < 20_000 || now >= 50_000 ? 200 : 0)

describe("the rules", () => {
  it("starts with initial and doubles in a round trip while it is in use", () => {
    const adaptive = make({ initial: 10 })
    assert.strictEqual(adaptive.limit(), 10)
    for (let i = 0; i < 10; i++) adaptive.answered(200, 0, 10)
    assert.strictEqual(adaptive.limit(), 20)
    for (let i = 0; i < 20; i++) adaptive.answered(400, 200, 20)
    assert.strictEqual(adaptive.limit(), 40)
  })

  it("does not grow unless it is in use", () => {
    const adaptive = make({ initial: 10 })
    for (let i = 0; i < 1_000; i++) adaptive.answered(200 * (i + 1), 200 * i, 4)
    assert.strictEqual(adaptive.limit(), 10)
    adaptive.refused(300_000, 299_999, 10)
    assert.strictEqual(adaptive.limit(), 8)
    for (let i = 0; i < 1_000; i++) adaptive.answered(300_200 + 200 * i, 300_000 + 200 * i, 6)
    assert.strictEqual(adaptive.limit(), 8)
  })

  it("a refusal cuts it by backoff, once for all that were sent before the cut", () => {
    const adaptive = make({ initial: 100, backoff: 0.8 })
    adaptive.refused(1_000, 900, 100)
    assert.strictEqual(adaptive.limit(), 80)
    for (let sentAt = 900; sentAt < 1_000; sentAt++) adaptive.refused(1_001, sentAt, 100)
    assert.strictEqual(adaptive.limit(), 80)
    adaptive.refused(1_002, 1_000, 100)
    assert.strictEqual(adaptive.limit(), 64)
  })

  it("a refusal cuts a limit that was not in use from what was in flight", () => {
    const adaptive = make({ initial: 100, backoff: 0.8 })
    adaptive.refused(1_000, 900, 50)
    assert.strictEqual(adaptive.limit(), 40)
  })

  it("after a refusal it returns quickly, stays, and only then goes on", () => {
    const adaptive = make({ initial: 100, backoff: 0.8, growth: 1 })
    adaptive.refused(0, 0, 100)
    // RFC 9438, section 4.2: K is the cube root of (100 - 80) / 1, which is 2.71 s.
    const at = (seconds: number): number => {
      now = answers(adaptive, seconds * 1_000 - now, now)
      return adaptive.limit()
    }
    let now = 0
    assert.deepStrictEqual([1, 2, 2.7, 3, 4, 5, 6].map(at), [94, 99, 99, 100, 102, 111, 135])
  })

  it("an idle hour is no time to grow", () => {
    const idle = make({ initial: 100 })
    const busy = make({ initial: 100 })
    idle.refused(0, 0, 100)
    busy.refused(0, 0, 100)
    for (let i = 1; i <= 20; i++) {
      answers(idle, 1, 3_600_000 * i, 100)
      answers(busy, 1, 100 * i, 100)
      assert.strictEqual(idle.limit(), busy.limit())
    }
    assert.isAbove(idle.limit(), 80)
  })

  it("answers that take no time at all are a measure too", () => {
    const adaptive = make({ initial: 100 })
    for (let i = 0; i < 100; i++) adaptive.answered(0, 0, 100)
    assert.strictEqual(adaptive.limit(), 200)
    answers(adaptive, 400, 10_000)
    assert.isBelow(adaptive.limit(), 200)
  })

  it("is a whole number from min to max, whatever happens", () => {
    const happening = fc.record({
      kind: fc.constantFrom("answered", "refused"),
      wait: fc.nat({ max: 5_000 }),
      latency: fc.nat({ max: 60_000 }),
      inFlight: fc.integer({ min: 1, max: 300 }),
      times: fc.integer({ min: 1, max: 100 })
    })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 20, max: 200 }),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        fc.double({ min: 1, max: 10, noNaN: true }),
        fc.array(happening, { maxLength: 60 }),
        (min, max, backoff, growth, tolerance, happenings) => {
          const adaptive = make({ initial: 20, min, max, backoff, growth, tolerance })
          let now = 0
          for (const { inFlight, kind, latency, times, wait } of happenings) {
            now += wait
            for (let i = 0; i < times; i++) {
              const before = adaptive.limit()
              if (kind === "answered") adaptive.answered(now, now - latency, inFlight)
              else adaptive.refused(now, now - latency, inFlight)
              const limit = adaptive.limit()
              assert.isTrue(Number.isInteger(limit) && limit >= min && limit <= max, `${limit}`)
              if (kind === "refused") assert.isTrue(limit <= before, `${before} rose to ${limit} at a refusal`)
            }
          }
        }
      )
    )
  })
})

describe("a provider that refuses", () => {
  it.each([
    ["200 ms exactly", () => 200],
    ["about 200 ms", about(200)],
    ["200 ms give or take a lot", lognormal(200, 0.5)],
    ["anything from 20 ms to 2 s", lognormal(200, 1)]
  ])("whose capacity falls from 200 to 20 and comes back: %s", (_name, service) => {
    for (const seed of SEEDS) {
      const result = run({ until: 120_000, capacity: fallsAndReturns, service, seed }, make())
      atMost(result.reaches(0, 180), 4_000, "ms to 90% at first")
      atMost(result.reaches(40_000, 18, 20), 4_000, "ms to 90% after the fall")
      atMost(result.reaches(80_000, 180), 9_000, "ms to 90% after the return")
      atLeast(result.busy(10_000, 40_000) / 200, 0.9, "use at first")
      atLeast(result.busy(50_000, 80_000) / 20, 0.92, "use after the fall")
      atLeast(result.busy(90_000, 120_000) / 200, 0.9, "use after the return")
      atMost(result.refusedShare, 0.012, "refused")
      atMost(result.refused(50_000, 80_000) / result.sent(50_000, 80_000), 0.012, "refused at 20")
    }
  })

  it.each([
    ["10 at once, 50 ms", 10, about(50), 0.9, 0.01],
    ["50 at once, 2 s", 50, about(2_000), 0.94, 0.015],
    ["50 at once, 0.2 to 20 s", 50, lognormal(2_000, 1), 0.9, 0.02],
    ["1 at once, 1 s", 1, about(1_000), 0.95, 0.1]
  ])("is used well: %s", (_name, capacity, service, use, refused) => {
    for (const seed of SEEDS) {
      const result = run({ until: 150_000, capacity: () => capacity, service, seed }, make())
      atLeast(result.busy(30_000, 150_000) / capacity, use, "use")
      atMost(result.refused(30_000, 150_000) / result.sent(30_000, 150_000), refused, "refused")
    }
  })

  it("is asked again in full after an outage of half a minute", () => {
    for (const seed of SEEDS) {
      const result = run({ until: 80_000, capacity: goesAway, service: about(200), seed }, make())
      assert.deepStrictEqual(new Set(result.limits(30_000, 50_000)), new Set([1]))
      // The requests that were refused last wait for up to 32 seconds, but others come.
      atMost(result.reaches(50_000, 180), 20_000, "ms to 90%")
    }
  })

  it("is shared by two processes, each of which counts only its own", () => {
    for (const seed of SEEDS) {
      const two = [make(), make()] as const
      const result = run({ until: 60_000, capacity: () => 200, service: about(200), seed }, ...two)
      atLeast(result.busy(10_000, 60_000) / 200, 0.9, "use")
      atMost(result.refusedShare, 0.01, "refused")
      for (const { limit } of two) atLeast(limit(), 50, "a process's share")
    }
  })
})

describe("a provider that never refuses", () => {
  it("is used in full, however its latency varies", () => {
    for (const sigma of [0.5, 1]) {
      for (const seed of SEEDS) {
        const result = run({ until: 20_000, agents: () => 300, service: lognormal(200, sigma), seed }, make())
        atLeast(result.busy(10_000, 20_000) / 300, 0.95, `use with sigma ${sigma}`)
        atMost(Math.max(...result.limits(0, 20_000)), 601, "limit beside 300 agents")
      }
    }
  })

  it.each([
    ["50 at a time, 1 s", 50, about(1_000), 170, 0.95],
    ["50 at a time, 200 ms", 50, about(200), 150, 0.95],
    ["200 at a time, 200 ms", 200, about(200), 600, 0.95],
    ["50 at a time, 100 to 400 ms", 50, lognormal(200, 0.5), 170, 0.85]
  ])("but lets others wait is not given ever more to do: %s", (_name, workers, service, most, use) => {
    for (const seed of SEEDS) {
      const result = run({ until: 70_000, workers: () => workers, service, seed }, make())
      const capacity = workers / mean(service)
      atMost(Math.max(...result.limits(30_000, 70_000)), most, "limit")
      atLeast(result.done(30_000, 70_000) / 40_000 / capacity, use, "use")
    }
  })

  it("but gets slower with each more is not given ever more to do", () => {
    for (const seed of SEEDS) {
      const service = (random: () => number, _now: number, working: number) => about(200)(random) * (1 + working / 100)
      const result = run({ until: 90_000, service, seed }, make())
      atMost(Math.max(...result.limits(30_000, 90_000)), 400, "limit")
      // 500 a second is what it could do if asked by endlessly many.
      atLeast(result.done(30_000, 90_000) / 60, 250, "answers a second")
    }
  })

  it("is used up to max, however its latency varies", () => {
    for (const [max, sigma, tolerance, use] of [
      [40, 1, 2, 0.9],
      [10, 1, 1.2, 0.7]
    ] as const) {
      const uses = Array.from({ length: 10 }, (_, seed) => {
        const result = run({ until: 120_000, service: lognormal(200, sigma), seed }, make({ max, tolerance }))
        return result.busy(20_000, 120_000) / max
      })
      // Means of few answers are seldom, but sometimes, so far apart that fewer are tried.
      atLeast(uses.reduce((all, one) => all + one, 0) / uses.length, use, `use of ${max} with sigma ${sigma}`)
    }
  })

  it("may get slower in slow start: if fewer are tried in vain, slow start goes on", () => {
    for (const seed of SEEDS) {
      const service = (random: () => number, now: number) => about(now < 700 ? 100 : 1_000)(random)
      const result = run({ until: 60_000, agents: () => 5_000, service, seed }, make())
      const first = Math.max(...result.limits(0, 3_000))
      const again = result.limits(3_000, 60_000).findIndex((limit) => limit >= 2 * first)
      const trial = result.limits(3_000, 60_000).findLastIndex((limit, i) => i < again && limit < first)
      atMost(first, 2_000, "limit before the trial")
      // As many round trips as doubling takes, not the cube root of the distance in seconds.
      atMost((again - trial) * 100, 3_000, `ms from ${first} to twice that`)
    }
  })

  it("may get slower at min: then that is usual, and more are tried", () => {
    for (const seed of SEEDS) {
      const service = (random: () => number, now: number) => about(now < 10_000 ? 200 : 1_500)(random)
      const result = run({ until: 60_000, service, seed }, make({ initial: 10, min: 10, max: 12 }))
      atMost(Math.min(...result.limits(10_000, 60_000)), 10, "limit on trial")
      assert.deepStrictEqual(new Set(result.limits(50_000, 60_000)), new Set([12]))
    }
  })

  it("may get slower for reasons of its own: fewer are tried, in vain, and then as many as before", () => {
    for (const seed of SEEDS) {
      const service = (random: () => number, now: number) => about(now < 20_000 ? 200 : 1_500)(random)
      const result = run({ until: 100_000, service, seed }, make({ max: 300 }))
      assert.deepStrictEqual(new Set(result.limits(10_000, 20_000)), new Set([300]))
      atMost(Math.min(...result.limits(20_000, 60_000)), 150, "limit on trial")
      assert.deepStrictEqual(new Set(result.limits(80_000, 100_000)), new Set([300]))
    }
  })
})

/** Mean of a service's times, in milliseconds. */
const mean = (service: (random: () => number) => number): number => {
  const random = randomOf(7)
  let sum = 0
  for (let i = 0; i < 100_000; i++) sum += service(random)
  return sum / 100_000
}
