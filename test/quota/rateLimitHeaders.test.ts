import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { read, silent, type Advice } from "../../src/internal/quota/rateLimitHeaders.ts"
import * as RetryAfter from "../../src/internal/wire/retryAfter.ts"
import { makePool } from "../../src/internal/transport/pool.ts"
import { SocketBudget } from "../../src/internal/transport/sockets.ts"
import { exchange, prepare } from "../../src/internal/http/request.ts"
import type { WireResponse } from "../../src/internal/http/types.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"

const now = Date.parse("Wed, 21 Oct 2015 07:28:00 GMT")

const advice = (status: number, headers: Readonly<Record<string, string>>): Advice =>
  read(status, Object.entries(headers), now)
const closed = (status: number, headers: Readonly<Record<string, string>>) => advice(status, headers).closed

const plenty = {
  "x-ratelimit-limit-requests": "10000",
  "x-ratelimit-remaining-requests": "9999",
  "x-ratelimit-reset-requests": "6ms",
  "x-ratelimit-limit-tokens": "30000",
  "x-ratelimit-remaining-tokens": "29000",
  "x-ratelimit-reset-tokens": "6m0s"
}

describe("a refusal", () => {
  it.each([429, 503, 529])("closes the gate for as long as it asks (%i)", (status) => {
    const date = "Wed, 21 Oct 2015 07:30:00 GMT"
    for (const [headers, ms] of [
      [{ "retry-after": "2" }, 2_000],
      [{ "retry-after": "0" }, 0],
      [{ "retry-after": "1.5", "retry-after-ms": "300" }, 300],
      [{ "retry-after": "4000000" }, 4_000_000_000],
      [{ "retry-after": "Wed, 21 Oct 2015 07:30:30 GMT", date }, 30_000],
      [{ "retry-after": "Wed, 21 Oct 2015 07:28:30 GMT" }, 30_000],
      [{ "retry-after": "Wed, 21 Oct 2015 07:29:00 GMT", date }, 0]
    ] as const) {
      expect(advice(status, headers)).toEqual({ retryAfter: ms, closed: ms })
    }
  })

  it("is ignored where it can't be parsed, and then its other headers count", () => {
    for (const odd of [
      "-5",
      "NaN",
      "Infinity",
      "",
      "soon",
      "1e3",
      "1e300",
      "9".repeat(400),
      "1761000000",
      "in 30000"
    ]) {
      expect(advice(429, { "retry-after": odd, "retry-after-ms": odd === "1761000000" ? "" : odd }), odd).toBe(silent)
    }
    expect(closed(429, { "retry-after-ms": "-1", "retry-after": "3" })).toBe(3_000)
    expect(closed(429, { "retry-after-ms": "9".repeat(30), "retry-after": "3" })).toBe(3_000)
    const spent = { ...plenty, "x-ratelimit-remaining-requests": "0" }
    expect(advice(429, { ...spent, "retry-after": "-5" })).toEqual({ retryAfter: undefined, closed: 6 })
  })

  it("without Retry-After closes it until the exhausted limit is reset, and no other", () => {
    expect(closed(429, { ...plenty, "x-ratelimit-remaining-tokens": "0" })).toBe(360_000)
    expect(closed(429, { ...plenty, "x-ratelimit-remaining-requests": "0" })).toBe(6)
    const both = { ...plenty, "x-ratelimit-remaining-tokens": "0", "x-ratelimit-remaining-requests": "0" }
    expect(closed(429, both), "the longest").toBe(360_000)
    expect(read(429, Object.entries(both).toReversed(), now).closed, "in any order").toBe(360_000)
    expect(advice(429, plenty)).toBe(silent)
    expect(closed(429, { ...both, "retry-after": "1" }), "Retry-After wins, though shorter").toBe(1_000)
  })

  it("with another status concerns only its request", () => {
    for (const status of [400, 408, 500, 502]) {
      expect(advice(status, { "retry-after": "7", "x-ratelimit-remaining-requests": "0" })).toEqual({
        retryAfter: 7_000,
        closed: undefined
      })
      expect(advice(status, plenty)).toBe(silent)
    }
  })
})

describe("a success", () => {
  it("mostly has no limits, and changes nothing", () => {
    for (const status of [200, 204, 302]) expect(advice(status, plenty)).toBe(silent)
    expect(advice(200, { "retry-after": "5", "content-length": "0", age: "0", "x-request-id": "0abc" })).toBe(silent)
    expect(advice(200, { "x-ratelimit-remaining-requests": "0.5", "x-ratelimit-reset-requests": "1s" })).toBe(silent)
  })

  it("that was the last one closes the gate until the reset", () => {
    expect(closed(200, { ...plenty, "x-ratelimit-remaining-tokens": "0" })).toBe(360_000)
    expect(closed(200, { ...plenty, "x-ratelimit-remaining-requests": "0.0" })).toBe(6)
  })

  it.each([
    ["6m0s", 360_000],
    ["1.2s", 1_200],
    ["12ms", 12],
    ["1h0m0s", 3_600_000],
    ["2h3m4.5s", 7_384_500],
    ["1m30.951999999s", 90_951.999999],
    ["250µs", 0.25],
    ["0s", 0],
    ["33011.382867097855", 33_011_382.867097855],
    ["0", 0],
    ["2015-10-21T07:28:30Z", 30_000],
    ["2015-10-21T09:28:30.500+02:00", 30_500],
    ["2015-10-21T07:27:00Z", 0],
    ["-1s", undefined],
    ["-5", undefined],
    ["NaN", undefined],
    ["1e300", undefined],
    ["1445412480", undefined],
    [`${"9".repeat(400)}s`, undefined],
    ["1s1", undefined],
    ["1 s", undefined],
    ["1d", undefined],
    ["", undefined]
  ])("whose reset is %j means that many milliseconds: %j", (reset, ms) => {
    const headers = { "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": reset }
    if (ms === undefined) expect(advice(200, headers)).toBe(silent)
    else expect(closed(200, headers)).toBeCloseTo(ms, 6)
  })

  it("is parsed in Cerebras's and in Anthropic's headers", () => {
    expect(
      advice(200, {
        "x-ratelimit-limit-requests-day": "1440",
        "x-ratelimit-remaining-requests-day": "0",
        "x-ratelimit-reset-requests-day": "7200",
        "x-ratelimit-remaining-tokens-minute": "5",
        "x-ratelimit-reset-tokens-minute": "100000"
      })
    ).toEqual({ retryAfter: undefined, closed: 7_200_000 })
    for (const budget of ["requests", "tokens", "input-tokens", "output-tokens"]) {
      const headers = {
        date: "Wed, 21 Oct 2015 08:00:00 GMT",
        "anthropic-ratelimit-other-remaining": "5",
        "anthropic-ratelimit-other-reset": "2015-10-21T09:00:00Z",
        [`anthropic-ratelimit-${budget}-remaining`]: "0",
        [`anthropic-ratelimit-${budget}-reset`]: "2015-10-21T08:00:30Z"
      }
      expect(closed(200, headers), "from the answer's own date").toBe(30_000)
      expect(advice(200, { ...headers, [`anthropic-ratelimit-${budget}-remaining`]: "1" })).toBe(silent)
    }
  })

  it("without a reset is no reason to wait", () => {
    expect(advice(200, { "x-ratelimit-remaining-requests": "0" })).toBe(silent)
    expect(advice(200, { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-tokens": "9s" })).toBe(silent)
  })

  it("closes until the next request is there, if it takes a whole window until all are", () => {
    const spent = { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m0s" }
    expect(closed(200, { ...spent, "x-ratelimit-limit-requests": "600" })).toBe(100)
    expect(closed(200, spent), "a second's worth where no limit is named").toBe(1_000)
    const daily = { "x-ratelimit-remaining-requests-day": "0", "x-ratelimit-reset-requests-day": "86400" }
    expect(closed(200, { ...daily, "x-ratelimit-limit-requests-day": "1440" })).toBe(60_000)
    const tokens = { "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "59.5s" }
    expect(closed(200, tokens)).toBeCloseTo(59_500 / 60, 6)
    const short = { ...spent, "x-ratelimit-reset-requests": "30s", "x-ratelimit-limit-requests": "600" }
    expect(closed(200, short), "the rest of a window").toBe(30_000)
    expect(closed(429, { ...spent, "x-ratelimit-limit-requests": "600" }), "refused or not").toBe(100)
    expect(closed(429, tokens)).toBeCloseTo(59_500 / 60, 6)
  })
})

const refused = (remaining: string, limit: string | undefined, reset: string) => ({
  "x-ratelimit-remaining-requests": remaining,
  "x-ratelimit-reset-requests": reset,
  ...(limit !== undefined && { "x-ratelimit-limit-requests": limit })
})

describe("nonsense", () => {
  it.each(["-1", "-0", "-3", "NaN", "0x0", "0b0", "0e5", "1e30", "", " ", "0, 0", "0 0", "0;w=60", "00x"])(
    "for what remains closes nothing: %j",
    (remaining) => {
      for (const status of [200, 429]) expect(advice(status, refused(remaining, "600", "1m0s"))).toBe(silent)
    }
  )

  it.each(["0", "-1", "-600", "NaN", "0x258", "1e30", "many", "", "600, 600", "0.5"])(
    "for a limit closes nothing: %j",
    (limit) => {
      for (const status of [200, 429]) {
        expect(advice(status, refused("0", limit, "1m0s"))).toBe(silent)
        expect(advice(status, refused("0", limit, "6s"))).toBe(silent)
      }
    }
  )

  it("of Azure's Responses API, which has no limits, closes nothing", () => {
    const headers = {
      "x-ratelimit-limit-requests": "-1",
      "x-ratelimit-remaining-requests": "-1",
      "x-ratelimit-reset-requests": "60",
      "x-ratelimit-limit-tokens": "-1",
      "x-ratelimit-remaining-tokens": "-1",
      "x-ratelimit-reset-tokens": "0"
    }
    for (const status of [200, 429]) expect(advice(status, headers)).toBe(silent)
  })

  const odd = [
    "-1s",
    "NaN",
    "0x3c",
    "1e30",
    "",
    "60, 60",
    "1m0s, 1m0s",
    "6 0",
    "1792579200",
    "1792579200000",
    "5356800",
    "2065-10-21T07:28:30Z",
    "2015-10-21T07:28:30",
    "2, 12:30",
    "Wed, 21 Oct 2015 07:28:30 GMT, Wed, 21 Oct 2015 07:28:30 GMT"
  ]
  it.each(odd)("for a reset closes nothing: %j", (reset) => {
    for (const status of [200, 429]) expect(advice(status, refused("0", "600", reset))).toBe(silent)
  })
  it.each(odd)("for a Retry-After closes nothing: %j", (after) => {
    expect(advice(429, { "retry-after": after })).toBe(silent)
  })

  it("in dates of the past holds no request back", () => {
    for (const past of [
      "Wed, 21 Oct 2015 07:27:59 GMT",
      "Sun Nov  6 08:49:37 1994",
      "Sunday, 06-Nov-94 08:49:37 GMT"
    ]) {
      expect(advice(429, { "retry-after": past })).toEqual({ retryAfter: 0, closed: 0 })
    }
    expect(closed(200, refused("0", "600", "2015-10-21T07:27:00Z"))).toBe(0)
  })

  it("in the white space around a value is passed over, as HTTP has it", () => {
    expect(closed(429, { "retry-after": " 60 " })).toBe(60_000)
    expect(closed(429, { "retry-after": " Wed, 21 Oct 2015 07:28:30 GMT" })).toBe(30_000)
    expect(closed(429, { "retry-after": "Wed Oct 21 07:28:30 2015" }), "without a zone it is UTC").toBe(30_000)
  })
})

describe("any answer", () => {
  const name = fc.constantFrom(
    "retry-after",
    "retry-after-ms",
    "date",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit--remaining",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens"
  )
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom("0", "-0", "00", "6m0s", "1e300", "NaN", "2015-10-21T08:00:30Z", "Wed, 21 Oct 2015 08:00:00 GMT"),
    fc.constantFrom("0x0", "-1", "1e30", "60, 60", " 60 ", "1d", "1h1h", "Wed Oct 21 07:28:30 9999"),
    fc.integer().map(String),
    fc.integer({ min: 0, max: 60 }).map((n) => `${n}s`),
    fc.double().map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString())
  )
  const headers = fc.array(fc.tuple(name, value))

  it("gives times that a timer of hours can count, or none", () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), headers, (status, pairs) => {
        for (const ms of Object.values(read(status, pairs, now)) as Array<number | undefined>) {
          expect(ms === undefined || (ms >= 0 && ms < 62 * 86_400_000)).toBe(true)
        }
      })
    )
  })

  it("has one Retry-After, however it is looked at", () => {
    const dated = fc.tuple(fc.tuple(fc.constant("date"), fc.constant("Wed, 21 Oct 2015 08:00:00 GMT")), value, value)
    fc.assert(
      fc.property(dated, ([date, after, ms]) => {
        const pairs = [date, ["retry-after", after.trim()], ["retry-after-ms", ms.trim()]] as const
        const latin = pairs.every(([, text]) => /^[ -~]*$/.test(text))
        fc.pre(latin)
        const got = RetryAfter.parse(new Headers(pairs.map(([n, v]) => [n, v] as [string, string])))
        expect(read(500, pairs, now).retryAfter).toBe(got)
      })
    )
  })
})

/** The heads of that many answers of a sandbox, as they come off the wire. */
const heads = async (provider: Sandbox.ProviderName, limit: Sandbox.RateLimit, times: number) => {
  await using sandbox = await Sandbox.start({ rateLimit: limit })
  const pool = makePool({ origin: sandbox.origin, maxConnections: 1, budget: new SocketBudget(1) })
  const read: Array<readonly [number, WireResponse["headers"]]> = []
  const path = provider === "anthropic" ? "/v1/messages" : "/v1/chat/completions"
  const body = JSON.stringify({ model: "m", max_tokens: 5, messages: [{ role: "user", content: "hello" }] })
  try {
    for (let i = 0; i < times; i++) {
      const request = await prepare(`${sandbox.origin}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-sandbox-provider": provider, authorization: "Bearer k" },
        body
      })
      const timeouts = { headers: Infinity, body: Infinity }
      const onHead = (status: number, headers: WireResponse["headers"]) => void read.push([status, headers])
      await (await exchange(pool, request, { timeouts, signal: undefined, onHead })).text()
    }
  } finally {
    await pool.close(0)
  }
  return read
}

describe("a provider's own headers", () => {
  it.each(["openai", "azure", "groq", "cerebras", "anthropic"] as const)("are parsed (%s)", async (provider) => {
    const [first, second, third] = await heads(provider, { requestsPerMinute: 2, burst: 1 }, 3)
    expect([first![0], second![0], third![0]]).toEqual([200, 200, 429])
    expect(read(...first!, Date.now())).toBe(silent)
    const last = read(...second!, Date.now())
    // Groq and Cerebras speak of requests per day, of which many are left.
    if (provider === "groq" || provider === "cerebras") expect(last).toBe(silent)
    else {
      expect(last.closed).toBeGreaterThan(25_000)
      expect(last.closed).toBeLessThanOrEqual(31_000)
    }
    const refused = read(...third!, Date.now())
    expect(refused.closed).toBe(refused.retryAfter)
    expect(refused.closed).toBeGreaterThan(20_000)
    expect(refused.closed).toBeLessThanOrEqual(30_000)
  })
})
