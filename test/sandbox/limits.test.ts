import { afterEach, assert, describe, expect, it } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"

const open: Array<() => unknown> = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})
const start = async (rateLimit?: Sandbox.RateLimit) => {
  const sandbox = await Sandbox.start({ rateLimit })
  open.push(sandbox.close)
  return sandbox
}

interface Asked {
  readonly model?: string
  readonly max_tokens?: number
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A prompt of 2 tokens, and an answer of 16. */
const ask = (sandbox: Sandbox.Sandbox, { path = "/v1/chat/completions", headers = {}, ...more }: Asked = {}) =>
  fetch(sandbox.origin + path, {
    method: "POST",
    headers,
    body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "hello" }], ...more })
  })

/** A whole exchange, of which the server knows the end as well. */
const send = async (sandbox: Sandbox.Sandbox, asked: Asked = {}) => {
  const inFlight = sandbox.stats().inFlight
  const response = await ask(sandbox, asked)
  const body = await response.text()
  await expect.poll(() => sandbox.stats().inFlight, { timeout: 30_000 }).toBe(inFlight)
  return { status: response.status, headers: response.headers, body }
}

const statuses = async (sandbox: Sandbox.Sandbox, ...all: ReadonlyArray<Asked>) => {
  const seen: Array<number> = []
  for (const asked of all) seen.push((await send(sandbox, asked)).status)
  return seen
}

/** A request to a deployment of Azure. */
const deployed = (name: string) => ({
  model: "c",
  path: `/openai/deployments/${name}/chat/completions?api-version=1`,
  headers: { "api-key": "azure" }
})

/** A request whose answer has begun, and so has its place, and goes on until it is cut. */
const hold = async (sandbox: Sandbox.Sandbox, asked: Asked = {}) => {
  const response = await ask(sandbox, { ...asked, headers: { ...asked.headers, "x-sandbox-fault": "stall=body" } })
  assert.strictEqual(response.status, 200)
  return {
    headers: response.headers,
    end: async () => {
      const inFlight = sandbox.stats().inFlight
      await response.body?.cancel()
      await expect.poll(() => sandbox.stats().inFlight, { timeout: 30_000 }).toBe(inFlight - 1)
    }
  }
}

const control = async (sandbox: Sandbox.Sandbox, name: string, value: unknown) => {
  const response = await fetch(`${sandbox.origin}/__sandbox/${name}`, { method: "POST", body: JSON.stringify(value) })
  return { status: response.status, body: await response.json() }
}

describe("limits", () => {
  it("refuse a key beyond its requests a minute, with a Retry-After", async () => {
    const sandbox = await start({ requestsPerMinute: 2 })
    const first = await send(sandbox)
    assert.strictEqual(first.headers.get("x-ratelimit-limit-requests"), "2")
    assert.strictEqual(first.headers.get("x-ratelimit-remaining-requests"), "1")
    assert.strictEqual((await send(sandbox)).status, 200)
    const third = await send(sandbox)
    assert.strictEqual(third.status, 429)
    assert.strictEqual(JSON.parse(third.body).error.code, "rate_limit_exceeded")
    // Half a minute, less what has passed; till then a minute.
    assert.closeTo(Number(third.headers.get("retry-after")), 22, 8)
    assert.closeTo(Number(third.headers.get("retry-after-ms")), 22_000, 8000)
    assert.match(String(third.headers.get("x-ratelimit-reset-requests")), /^(1m0|5\d|4[4-9])(\.\d+)?s$/)
    assert.deepEqual(await statuses(sandbox, { headers: { authorization: "Bearer other" } }), [200])
    assert.strictEqual(sandbox.stats().rateLimited, 1)
  })

  it("refuse beyond tokens a minute, and charge nothing for that", async () => {
    const sandbox = await start({ tokensPerMinute: 40 })
    assert.deepEqual(await statuses(sandbox, {}, {}, {}, {}), [200, 200, 429, 429])
    const last = await send(sandbox)
    assert.match(String(last.headers.get("x-ratelimit-remaining-tokens")), /^[4-9]$/)
  })

  it.each([
    { charge: "used", remaining: "582", meanwhile: 200, afterwards: 200 },
    { charge: "reserved", remaining: "98", meanwhile: 429, afterwards: 200 },
    { charge: "asked", remaining: "98", meanwhile: 429, afterwards: 429 }
  ] as const)("charge a long request with the tokens that are $charge", async (expected) => {
    const sandbox = await start({ tokensPerMinute: 600, charge: expected.charge })
    const long = { max_tokens: 500 }
    const held = await hold(sandbox, long)
    assert.strictEqual(held.headers.get("x-ratelimit-remaining-tokens"), expected.remaining)
    assert.deepEqual(await statuses(sandbox, long), [expected.meanwhile])
    await held.end()
    assert.deepEqual(await statuses(sandbox, long), [expected.afterwards])
  })

  it("count each model of each key for itself, and Azure by its deployments", async () => {
    const sandbox = await start({ requestsPerMinute: 1, maxConcurrency: 1 })
    const b = { model: "b" }
    const other = { headers: { "x-api-key": "other" } }
    assert.deepEqual(await statuses(sandbox, {}, {}, b, b, other, other), [200, 429, 200, 429, 200, 429])
    assert.deepEqual(await statuses(sandbox, deployed("one"), deployed("one"), deployed("two")), [200, 429, 200])
    sandbox.limit({ maxConcurrency: 1 })
    const held = await hold(sandbox)
    assert.deepEqual(await statuses(sandbox, {}, b, other), [429, 200, 200])
    await held.end()
  })

  it("refuse beyond concurrency until an answer has ended, without a Retry-After", async () => {
    const sandbox = await start({ maxConcurrency: 2 })
    const first = await hold(sandbox)
    const second = await hold(sandbox)
    const refused = await send(sandbox)
    assert.strictEqual(refused.status, 429)
    assert.strictEqual(JSON.parse(refused.body).error.message, "Too many concurrent requests.")
    assert.deepEqual(
      [...refused.headers.keys()].filter((name) => name.startsWith("retry")),
      []
    )
    await first.end()
    assert.deepEqual(await statuses(sandbox, {}, {}), [200, 200])
    await second.end()
  })

  it("send a Retry-After beyond concurrency, if configured", async () => {
    const sandbox = await start({ maxConcurrency: 0, concurrencyRetryAfter: "2500 millis" })
    const refused = await send(sandbox)
    assert.strictEqual(refused.headers.get("retry-after"), "3")
    assert.strictEqual(refused.headers.get("retry-after-ms"), "2500")
    assert.strictEqual(
      JSON.parse(refused.body).error.message,
      "Too many concurrent requests. Please try again in 2.5s."
    )
  })

  it("have Cerebras's codes, which name a quota for a limit that passes", async () => {
    const sandbox = await start()
    const code = async (limit: Sandbox.RateLimit) => {
      sandbox.limit(limit)
      const headers = { "x-sandbox-provider": "cerebras" }
      return JSON.parse((await send(sandbox, { headers })).body).code
    }
    assert.strictEqual(await code({ maxConcurrency: 0 }), "queue_exceeded")
    assert.strictEqual(await code({ tokensPerMinute: 10 }), "token_quota_exceeded")
    assert.isUndefined(await code({ requestsPerMinute: 1 }))
    assert.strictEqual(await code({ requestsPerMinute: 1 }), "request_quota_exceeded")
  })

  it("do not apply to requests without a model", async () => {
    const sandbox = await start({ requestsPerMinute: 1, maxConcurrency: 0 })
    const response = await fetch(`${sandbox.origin}/v1/models`)
    assert.strictEqual(response.status, 200)
    assert.isFalse(response.headers.has("x-ratelimit-limit-requests"))
    await response.text()
  })

  it("are sent in each provider's own headers", async () => {
    const sandbox = await start({ requestsPerMinute: 10, tokensPerMinute: 10_000 })
    const told = async (provider: string, name: string) =>
      (await send(sandbox, { headers: { "x-sandbox-provider": provider, "x-api-key": provider } })).headers.get(name)
    assert.strictEqual(await told("groq", "x-ratelimit-limit-requests"), "14400")
    assert.strictEqual(await told("groq", "x-ratelimit-limit-tokens"), "10000")
    assert.strictEqual(await told("cerebras", "x-ratelimit-limit-tokens-minute"), "10000")
    assert.match(String(await told("anthropic", "anthropic-ratelimit-requests-reset")), /^\d{4}-\d\d-\d\dT[\d:]+Z$/)
  })
})

describe("a limit that changes", () => {
  it("counts requests already in flight, when it is set, falls and rises", async () => {
    const sandbox = await start()
    const held = [await hold(sandbox), await hold(sandbox), await hold(sandbox)]
    assert.deepEqual(await statuses(sandbox, {}), [200])
    sandbox.limit({ maxConcurrency: 3 })
    assert.deepEqual(await statuses(sandbox, {}), [429])
    sandbox.limit({ maxConcurrency: 1 })
    await held[0]?.end()
    await held[1]?.end()
    assert.deepEqual(await statuses(sandbox, {}), [429])
    sandbox.limit({ maxConcurrency: 2 })
    assert.deepEqual(await statuses(sandbox, {}), [200])
    sandbox.limit({ maxConcurrency: 1 })
    await held[2]?.end()
    assert.deepEqual(await statuses(sandbox, {}), [200])
    sandbox.limit(undefined)
    assert.deepEqual(await statuses(sandbox, {}), [200])
  })

  it("keeps the level of a bucket whose limit stays, cuts one that shrinks, and starts a new one full", async () => {
    const sandbox = await start({ requestsPerMinute: 5 })
    const left = async () => {
      const { headers, status } = await send(sandbox)
      return [status, headers.get("x-ratelimit-remaining-requests"), headers.get("x-ratelimit-remaining-tokens")]
    }
    const unlimited = "1999900"
    assert.deepEqual(await left(), [200, "4", unlimited])
    sandbox.limit({ requestsPerMinute: 5, tokensPerMinute: 30 })
    assert.deepEqual(await left(), [200, "3", "12"])
    sandbox.limit({ requestsPerMinute: 2 })
    assert.deepEqual(await left(), [200, "1", unlimited])
    sandbox.limit({ requestsPerMinute: 5 })
    assert.deepEqual(await left(), [200, "0", unlimited])
    assert.strictEqual((await left())[0], 429)
  })

  it("can be set by other processes, which get validation errors", async () => {
    const sandbox = await start()
    const told = await control(sandbox, "limit", { requestsPerMinute: 1, charge: "asked" })
    assert.strictEqual(told.status, 200)
    assert.deepEqual(await statuses(sandbox, {}, {}), [200, 429])
    const wrong = [
      [{ requestsPerMinute: 0 }, "requestsPerMinute can't be 0"],
      [{ requestPerMinute: 10 }, "requestPerMinute can't be 10"],
      [{ charge: "all" }, `charge can't be "all"`],
      [[], "expected an object, or null for no limit"],
      [undefined, "expected JSON"]
    ] as const
    for (const [value, error] of wrong) {
      assert.deepEqual(await control(sandbox, "limit", value), { status: 400, body: { error } })
    }
    assert.deepEqual(await statuses(sandbox, {}), [429])
    await control(sandbox, "limit", null)
    assert.deepEqual(await statuses(sandbox, {}), [200])
  })
})
