import { it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import * as assert from "node:assert/strict"
import { Agent } from "undici"
import { describe } from "vitest"
import * as openai from "../../../src/internal/promise/options/openai.ts"
import type { Reading } from "../../../src/internal/promise/options/reading.ts"
import { isolateEnvironment, isSame, type Options, read } from "./readings.ts"

isolateEnvironment()

const token = async () => "token"

const attempt = (given: Options): Reading | string => {
  try {
    return read(openai, given)
  } catch (error) {
    return String(error)
  }
}

/** Another literal of the same. */
const literal = (given: Options): Options =>
  Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      name !== "logger" && typeof value === "object" && value !== null && !Redacted.isRedacted(value)
        ? { ...value }
        : value
    ])
  )

describe("a raw key", () => {
  it("lets no text pass for another option, name or value", () => {
    const key = openai.rawKey
    assert.notEqual(key({ organization: "a" }), key({ project: "a" }))
    assert.notEqual(key({ organization: "a", project: "b" }), key({ organization: 'a;project"b' }))
    assert.notEqual(key({ defaultQuery: { x: "a", y: "b" } }), key({ defaultQuery: { 'x="1:a,y': "b" } }))
    assert.notEqual(key({ defaultHeaders: { x: ["a", "b"] } }), key({ defaultHeaders: { x: ['a,"1:b'] } }))
    assert.notEqual(key({ maxRetries: 1 }), key({ maxRetries: "1" }))
    assert.notEqual(key({ timeout: null }), key({ timeout: "null" }))
  })

  const text = fc.constantFrom("a", "b", "", '"1:a', "a;apiKey", "3:a;b")
  const all = {
    apiKey: fc.constantFrom<unknown>("a", 'a;timeout"1:1', "sk", Redacted.make("a"), null),
    baseURL: fc.constantFrom("https://a.test", "https://a.test/", "https://b.test", null),
    timeout: fc.constantFrom(1, 10, Infinity),
    maxRetries: fc.constantFrom(0, 1, 10),
    organization: fc.constantFrom("a", "b", null, undefined),
    adminAPIKey: fc.constantFrom("a", "b", null),
    defaultHeaders: fc.dictionary(fc.constantFrom("x", "X", "y", "x,y"), fc.option(text)),
    defaultQuery: fc.dictionary(fc.constantFrom("x", "y", 'x="1:a,1:y'), text),
    logger: fc.constantFrom<object>(console, { error: () => undefined }),
    fetchOptions: fc.record({ redirect: fc.constantFrom("error", "follow") }, { requiredKeys: [] }),
    quota: fc.record(
      { requestsPerMinute: fc.constantFrom(1, 10), maxConcurrency: fc.constantFrom(1, 10) },
      { requiredKeys: [] }
    ),
    transport: fc.constantFrom({ maxConnections: 1 }, { maxConnections: 1, http2: true }, {})
  }
  const options = fc.record(all, { requiredKeys: [] })
  const names = Object.keys(all) as ReadonlyArray<keyof typeof all>
  it("is the same only for what means the same", () => {
    let met = 0
    fc.assert(
      fc.property(options, options, fc.constantFrom(...names), (given, more, name) => {
        const other = literal({ ...given, [name]: more[name] })
        const [key, itsKey] = [openai.rawKey(given), openai.rawKey(other)]
        assert.ok(key !== undefined && itsKey !== undefined)
        if (key !== itsKey) return
        met++
        const [a, b] = [attempt(given), attempt(other)]
        assert.ok(typeof a === "string" || typeof b === "string" ? a === b : isSame(a, b))
      }),
      { numRuns: 3_000 }
    )
    assert.ok(met > 300, String(met))
  })

  it("is absent for values without a text form", () => {
    const { rawKey } = openai
    const none: ReadonlyArray<unknown> = [
      { fetch },
      { httpAgent: {} },
      { fetchOptions: { dispatcher: new Agent() } },
      { provider: {} },
      { workloadIdentity: {} },
      { unheardOf: 1 },
      { constructor: 1 },
      { defaultHeaders: new Headers({ a: "b" }) },
      { defaultHeaders: { a: () => "b" } },
      { transport: { ca: Buffer.from("pem") } },
      { quota: { a: { b: { c: { d: { e: 1 } } } } } },
      new Agent(),
      "sk-test",
      null
    ]
    assert.deepEqual(
      none.map(rawKey),
      none.map(() => undefined)
    )
    assert.equal(typeof rawKey(), "string")
    assert.equal(rawKey(), rawKey({}))
  })

  it("compares loggers and key functions by identity", () => {
    const { rawKey } = openai
    const f = token
    assert.equal(rawKey({ apiKey: f }), rawKey({ apiKey: f }))
    assert.notEqual(rawKey({ apiKey: f }), rawKey({ apiKey: async () => "sk" }))
    const log = { ...console }
    assert.equal(rawKey({ logger: log }), rawKey({ logger: log }))
    assert.notEqual(rawKey({ logger: log }), rawKey({ logger: { ...console } }))
  })
})
