/** Decisions after a failed attempt. */
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as Retry from "../../src/internal/overload/retry.ts"
import { WireError, type WireReason } from "../../src/internal/wire/errors.ts"

const answer = (status: number, headers: Record<string, string> = {}) => ({ status, headers: new Headers(headers) })

const calm: Retry.Circumstances = {
  isProbe: false,
  isElsewhere: false,
  isGated: false,
  isExhausted: () => false,
  isNewCause: () => true,
  deadlineLeft: Infinity,
  patience: 60_000
}

const again = (status: number, repeatable: boolean, headers: Record<string, string> = {}) =>
  Retry.ofAnswer(answer(status, headers), repeatable).isRetryable

const error = (reason: WireReason, processed: "no" | "maybe" | "yes") => new WireError(reason, processed, "")

const lost = Retry.ofError(error("Connection", "maybe"), true)
const late = Retry.ofError(error("Timeout", "maybe"), true)
const refused = Retry.ofError(error("Connection", "no"), true)
const status = (code: number) => Retry.ofAnswer(answer(code), true)

/** Number of attempts after the first. */
const count = (
  maxRetries: number,
  failure: Retry.Failure,
  circumstances: Partial<Retry.Circumstances> = {}
): number => {
  const retries = new Retry.Retries(maxRetries, 60_000)
  let made = 0
  while (made < 100 && retries.after(failure, { ...calm, ...circumstances }).kind !== "fail") made++
  return made
}

describe("another attempt", () => {
  it("may help after these statuses, and does no harm where it is repeatable", () => {
    for (const code of [408, 409, 429, 500, 502, 503, 504, 529]) assert.isTrue(again(code, true), `${code}`)
    for (const code of [400, 401, 403, 404, 413, 422]) assert.isFalse(again(code, true), `${code}`)
    for (const code of [408, 409, 500, 503]) assert.isFalse(again(code, false), `${code}`)
    assert.isTrue(again(429, false), "turned away before any work")
  })

  it("follows x-should-retry, but never for a request that must not be repeated", () => {
    assert.isFalse(again(500, true, { "x-should-retry": "false" }))
    assert.isTrue(again(400, true, { "x-should-retry": "true" }))
    assert.isFalse(again(500, false, { "x-should-retry": "true" }))
  })

  it("follows if the request was certainly not processed, or is safe to repeat, and no response had begun", () => {
    for (const reason of ["Connection", "FileDescriptors", "Timeout"] as const) {
      assert.isTrue(Retry.ofError(error(reason, "no"), false).isRetryable, reason)
      assert.isTrue(Retry.ofError(error(reason, "maybe"), true).isRetryable, reason)
      assert.isFalse(Retry.ofError(error(reason, "maybe"), false).isRetryable, reason)
      assert.isFalse(Retry.ofError(error(reason, "yes"), true).isRetryable, reason)
    }
    for (const reason of ["Aborted", "Malformed", "Closed", "Untrusted"] as const) {
      assert.isFalse(Retry.ofError(error(reason, "no"), true).isRetryable, reason)
    }
  })

  it("follows as often as maxRetries allows, whatever failed, and never for 0", () => {
    for (const maxRetries of [0, 1, 2, 7]) {
      for (const failure of [lost, late, refused, status(500), status(503), status(429)]) {
        assert.strictEqual(count(maxRetries, failure), maxRetries, failure.kind)
      }
    }
  })

  it("costs no retry after a lack of descriptors, but does not follow for ever", () => {
    const failure = Retry.ofError(error("FileDescriptors", "no"), false)
    assert.deepStrictEqual([count(2, failure), count(0, failure)], [5, 0])
  })
})

describe("a probe", () => {
  it("with 429 or 5xx, or refused, costs none, and a perhaps processed one does", () => {
    for (const failure of [refused, status(500), status(503), status(429)]) {
      assert.strictEqual(count(2, failure, { isProbe: true }), 100, failure.kind)
      assert.strictEqual(count(0, failure, { isProbe: true }), 0, "whoever may not retry is no probe for others")
    }
    for (const failure of [lost, late]) assert.strictEqual(count(2, failure, { isProbe: true }), 2, failure.kind)
  })
})

describe("the last retry", () => {
  it("is followed by a wait if no connection was made, and nothing got in since the first attempt", () => {
    for (const [failure, waits] of [
      [status(503), true],
      [status(529), true],
      [refused, true],
      [status(500), false],
      [lost, false],
      [late, false]
    ] as const) {
      const retries = new Retry.Retries(1, 60_000)
      assert.strictEqual(retries.after(failure, { ...calm, isExhausted: () => true }).kind, "retry")
      const next = retries.after(failure, { ...calm, isExhausted: () => true })
      assert.strictEqual(next.kind, waits ? "wait" : "fail", failure.kind)
    }
  })

  it("of a 500, which may be the request's own fault, concerns others only after many failures", () => {
    const asked: Array<number> = []
    const isExhausted = (least: number) => asked.push(least) > 0
    for (const failure of [status(500), status(503)]) count(1, failure, { isExhausted: (n) => isExhausted(n) && false })
    assert.deepStrictEqual(asked, [10, 1])
  })
})

describe("the pause", () => {
  it("doubles from half a second to eight, less up to a quarter, as the SDKs have it", () => {
    for (const random of [0, 0.25, 0.999]) {
      const retries = new Retry.Retries(7, 60_000, () => random)
      const pauses = Array.from({ length: 7 }, () => {
        const next = retries.after(status(500), calm)
        return next.kind === "retry" ? next.delay : NaN
      })
      assert.deepStrictEqual(
        pauses,
        [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000].map((bound) => bound * (1 - random / 4))
      )
    }
  })

  it("is at least Retry-After, and there is no retry beyond maxRetryAfter or the rest of it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 120 }), fc.integer({ min: 0, max: 120 }), (seconds, most) => {
        const failure = Retry.ofAnswer(answer(503, { "retry-after": `${seconds}` }), true)
        const [bound, patience] = [most * 1_000, 60_000]
        const next = new Retry.Retries(2, bound).after(failure, { ...calm, patience })
        if (seconds * 1_000 > Math.min(bound, patience)) return next.kind === "fail"
        return next.kind === "retry" && next.delay >= seconds * 1_000 && next.asked === seconds * 1_000
      })
    )
  })

  it("is left to the gate that a 429 has closed, and to another credential where there is one", () => {
    const failure = Retry.ofAnswer(answer(429, { "retry-after": "30" }), true)
    for (const how of [{ isGated: true }, { isElsewhere: true }]) {
      const next = new Retry.Retries(2, 60_000).after(failure, { ...calm, ...how })
      assert.isTrue(next.kind === "retry" && next.delay <= 500 && next.asked === 0)
    }
  })

  it("that would outlast the deadline is not made", () => {
    assert.strictEqual(new Retry.Retries(2, 60_000).after(status(500), { ...calm, deadlineLeft: 100 }).kind, "fail")
  })
})

const charge = (failure: Retry.Failure, how: Partial<Retry.Circumstances> = {}) => {
  const next = new Retry.Retries(2, 60_000).after(failure, { ...calm, ...how })
  return next.kind === "retry" && next.isCharged
}

describe("the budget", () => {
  it("is charged for statuses and timeouts, once for connections lost together, and not for a gated 429", () => {
    assert.deepStrictEqual(
      [status(500), late, lost, refused, status(429)].map((one) => charge(one)),
      [true, true, true, true, true]
    )
    assert.isFalse(charge(lost, { isNewCause: () => false }))
    assert.isFalse(charge(refused, { isNewCause: () => false }))
    assert.isTrue(charge(status(500), { isNewCause: () => false }))
    assert.isFalse(charge(status(429), { isGated: true }))
  })
})
