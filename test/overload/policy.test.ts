/** The policy by itself: a state and a clock. */
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as Policy from "../../src/internal/overload/policy.ts"

const rules: Policy.Rules = { failures: 64, cooldown: 5_000 }
const lane = {}

const fail = (state: Policy.OverloadState, now: number, sentAt = now - 20, of: object = lane, by = rules) =>
  Policy.failed(state, now, { sentAt, lane: of }, by, 0.5)

/** So many failures, one each `ms`. Returns when the last came. */
const failMany = (state: Policy.OverloadState, from: number, count: number, ms = 10): number => {
  for (let i = 0; i < count; i++) fail(state, from + i * ms)
  return from + (count - 1) * ms
}

const send = (state: Policy.OverloadState, now: number): boolean => {
  const isProbe = Policy.admit(state, now, rules, 0.5)
  Policy.sent(state, now, { sentAt: now, isOver: true })
  return isProbe
}

const shutLane = (inFlight = 0): Policy.OverloadState => {
  const state = Policy.makeLane()
  for (let i = 0; i < inFlight; i++) send(state, 0)
  failMany(state, 100, 64)
  for (let i = 0; i < inFlight; i++) Policy.over(state, true)
  assert.strictEqual(state.mode, "shut")
  return state
}

/** Lets probes go and fail until `until`; the times at which they went. */
const probe = (state: Policy.OverloadState, until: number, waiting = 1, cooldown = 5_000): ReadonlyArray<number> => {
  const at: Array<number> = []
  state.waiting = waiting
  for (let now = state.nextProbeAt; now < until; now = state.nextProbeAt) {
    assert.strictEqual(Policy.room(state, now), 1)
    assert.isTrue(Policy.admit(state, now, { ...rules, cooldown }, 0.5))
    assert.strictEqual(Policy.room(state, now), 0)
    Policy.over(state, false)
    fail(state, now + 1, now)
    at.push(now)
  }
  return at
}

describe("a lane", () => {
  it("shuts at the 64th failure with nothing answered since the first, and not before they last 350 ms", () => {
    const state = Policy.makeLane()
    failMany(state, 0, 63)
    assert.strictEqual(state.mode, "flowing")
    assert.isTrue(fail(state, 700), "it tells that it has shut")
    assert.strictEqual(Policy.room(state, 700), 0)
    const burst = Policy.makeLane()
    for (let i = 0; i < 1_000; i++) fail(burst, 1_000)
    assert.strictEqual(burst.mode, "flowing", "what breaks in one moment has one cause")
  })

  it("never shuts while one attempt gets in, however many fail", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.integer({ min: 1, max: 20 }), (every, ms) => {
        const state = Policy.makeLane()
        for (let i = 1; i < 2_000; i++) {
          if (i % every === 0) Policy.answered(state, i * ms, i * ms - 1, true)
          else fail(state, i * ms, i * ms - 1)
        }
        return state.mode === "flowing"
      })
    )
  })

  it("is not deceived by answers to what was sent before", () => {
    const state = Policy.makeLane()
    for (let i = 0; i < 64; i++) {
      fail(state, 1_000 + i * 10)
      Policy.answered(state, 1_005 + i * 10, 900, true)
    }
    assert.strictEqual(state.mode, "shut")
  })

  it("takes an attempt that is not refused for four times as long as refusals take as one that got in", () => {
    const state = Policy.makeLane()
    fail(state, 100, 50)
    const attempt = { sentAt: 110, isOver: false }
    Policy.sent(state, 110, attempt)
    for (let i = 0; i < 200; i++) fail(state, 150 + i, 120 + i)
    assert.strictEqual(state.mode, "flowing", "too short a time")
    fail(state, 411, 400)
    assert.strictEqual(state.goodAt, 110)
    assert.isAtMost(state.failures, 1)
  })

  it("treats failures of attempts sent before an answered one as old, whatever seems let in", () => {
    const old = Policy.makeLane()
    Policy.answered(old, 1_000, 900, true)
    for (let i = 0; i < 64; i++) fail(old, 1_000 + 10 * i, 899)
    assert.deepStrictEqual([old.mode, old.failures], ["flowing", 0])
    const seeming = Policy.makeLane()
    fail(seeming, 1_000)
    Policy.admit(seeming, 1_000, rules, 0.5)
    Policy.sent(seeming, 1_000, { sentAt: 1_000, isOver: false })
    assert.isFalse(Policy.isUnwellSince(seeming, 1_500, 1_000), "it seems let in")
    for (let i = 0; i < 64; i++) fail(seeming, 1_500 + 25 * i, 999)
    assert.strictEqual(seeming.mode, "shut")
  })

  it("takes back that something got in when its refusal comes late after all, and keeps what was answered", () => {
    const state = Policy.makeLane()
    Policy.answered(state, 150, 100, true)
    fail(state, 200)
    Policy.sent(state, 210, { sentAt: 210, isOver: false })
    assert.isFalse(Policy.isUnwellSince(state, 900, 180), "it seems let in")
    fail(state, 910, 210)
    assert.isTrue(Policy.isUnwellSince(state, 910, 180))
    assert.isFalse(Policy.isUnwellSince(state, 910, 100), "an answer is an answer")
  })

  it("does not shut by itself with circuitFailures: 0", () => {
    const state = Policy.makeLane()
    for (let i = 0; i < 1_000; i++) fail(state, i * 10, i * 10 - 1, lane, { ...rules, failures: 0 })
    assert.strictEqual(state.mode, "flowing")
  })

  it("shuts for few failures when a request has failed for the last time, unless something got in since its first", () => {
    const state = Policy.makeLane()
    Policy.answered(state, 500, 400, true)
    fail(state, 1_000)
    assert.isFalse(Policy.isUnwellSince(state, 1_000, 300))
    assert.isTrue(Policy.isUnwellSince(state, 1_000, 450))
    assert.isTrue(Policy.exhaust(state, 1_000, 0.5))
    assert.strictEqual(state.mode, "shut")
  })
})

describe("an origin", () => {
  it("shuts when attempts of three lanes fail, and not for one or two", () => {
    for (const lanes of [1, 2, 3]) {
      const of = Array.from({ length: lanes }, () => ({}))
      const state = Policy.makeOrigin()
      for (let i = 0; i < 100; i++) fail(state, i * 10, i * 10 - 1, of[i % lanes])
      assert.strictEqual(state.mode, lanes < 3 ? "flowing" : "shut", `${lanes}`)
      if (lanes < 3) assert.isFalse(Policy.exhaust(state, 2_000, 0.5))
    }
  })

  it("shuts at once when no connection can be made", () => {
    const state = Policy.makeOrigin()
    assert.isTrue(Policy.unreachable(state, 100, rules, 0.5))
    assert.isFalse(Policy.unreachable(state, 200, rules, 0.5), "told once")
    assert.strictEqual(Policy.room(state, 200), 0)
  })
})

describe("probes", () => {
  it("go first within half a second, whatever the chance", () => {
    for (const random of [0, 0.999]) {
      const state = Policy.makeOrigin()
      Policy.unreachable(state, 1_000, rules, random)
      assert.isAtLeast(state.nextProbeAt, 1_250)
      assert.isAtMost(state.nextProbeAt, 1_500)
    }
  })

  it("of one waiting request are sent at pauses that grow to a second, and to a fortieth of a long outage, 5 s at most", () => {
    const state = shutLane()
    const at = probe(state, 1_000_000)
    const pauses = at.slice(1).map((time, i) => time - at[i]!)
    assert.isBelow(pauses[0]!, 700)
    assert.isAtMost(Math.max(...pauses.slice(0, 20)), 1_001)
    const near = (time: number) => pauses[at.findIndex((one) => one > time)]!
    assert.closeTo(near(120_000), 3_000, 150)
    assert.closeTo(Math.max(...pauses), 5_000, 1)
  })

  it("keep to circuitCooldown", () => {
    const state = shutLane()
    const at = probe(state, 20_000, 1, 400)
    assert.isAtMost(Math.max(...at.slice(2).map((time, i) => time - at[i + 1]!)), 401)
  })

  it("of many waiting requests are at most ten a second after the first two", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), (waiting) => {
        const at = probe(shutLane(), 60_000, waiting)
        const worst = Math.max(...at.map((time) => at.filter((one) => one >= time && one < time + 1_000).length))
        return worst <= 10 && at.filter((time) => time > 3_000).length <= 3.2 * 57
      }),
      { numRuns: 20 }
    )
  })
})

describe("recovery", () => {
  it("is half of what was in flight before, and doubles each 300 ms", () => {
    const state = shutLane(100)
    const at = state.nextProbeAt
    state.waiting = 1_000
    Policy.admit(state, at, rules, 0.5)
    Policy.over(state, false)
    Policy.answered(state, at + 50, at, true)
    assert.strictEqual(state.mode, "recovering")
    assert.strictEqual(state.recovery.allowance, 52)
    state.recovery.tokens = Infinity
    assert.strictEqual(Policy.room(state, at + 60), 52)
    assert.strictEqual(Policy.room(state, at + 350), 104)
    assert.strictEqual(Policy.room(state, at + 650), 208)
    assert.isTrue(Policy.admit(state, at + 650, rules, 0.5) === false)
  })

  it("keeps to the pace of the busiest second before", () => {
    const state = shutLane(100)
    const at = state.nextProbeAt
    state.waiting = 100
    Policy.admit(state, at, rules, 0.5)
    Policy.over(state, false)
    Policy.answered(state, at, at, true)
    let went = 0
    for (let now = at; now < at + 1_000; now += 10) {
      for (; Policy.room(state, now) >= 1 && state.mode === "recovering"; went++) {
        state.waiting--
        Policy.admit(state, now, rules, 0.5)
        Policy.over(state, false)
      }
    }
    assert.isAtLeast(went, 90)
    assert.isAtMost(went, 110)
  })

  it("ends in another outage when all fails again, and that begins with the pause that was reached", () => {
    const state = shutLane(100)
    state.waiting = 1_000
    probe(state, 10_000, 1_000)
    const at = state.nextProbeAt
    const { pause } = state
    Policy.admit(state, at, rules, 0.5)
    Policy.over(state, false)
    Policy.answered(state, at + 10, at, true)
    let now = at + 20
    for (let i = 0; i < 200 && state.mode === "recovering"; i++) fail(state, (now += 10), now - 1)
    assert.strictEqual(state.mode, "shut")
    assert.isAtLeast(state.nextProbeAt - now, pause)
  })

  it("is at an end at once for one agent alone", () => {
    const state = shutLane(1)
    const at = state.nextProbeAt
    Policy.admit(state, at, rules, 0.5)
    Policy.over(state, false)
    Policy.answered(state, at + 50, at, true)
    assert.strictEqual(state.mode, "flowing")
  })
})
