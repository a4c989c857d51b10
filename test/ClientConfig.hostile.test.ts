/** Options as data from outside may have them: prototypes in disguise, numbers that are none, keys with stray characters. */
import { inspect } from "node:util"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import fc from "fast-check"
import { afterEach, assert, describe } from "vitest"
import * as ClientConfig from "../src/ClientConfig.ts"
import { OptionsError } from "../src/ClientError.ts"
import type * as ClientLayer from "../src/ClientLayer.ts"
import * as ClientLayers from "../src/ClientLayer.ts"
import * as Credential from "../src/Credential.ts"
import { transportLimits } from "../src/internal/util/bounds.ts"
import * as specs from "../src/internal/config/specs.ts"
import * as OpenAiClient from "../src/OpenAiClient.ts"
import { makeClients } from "../src/Promise.ts"
import { getOpenAIClient } from "../src/promise/openai.ts"
import * as Sandbox from "../src/testing/Sandbox.ts"

const apiKey = Redacted.make("sk-test")

/** As callers without types call it. */
const configOf = (options: unknown) =>
  Either.merge(Effect.runSync(Effect.either(ClientConfig.make(specs.openai, options as ClientConfig.Options))))

/** The field that an OptionsError names. */
const refused = (told: unknown): string => {
  assert.instanceOf(told, OptionsError)
  return (told as OptionsError).field
}

const thrown = (f: () => unknown): unknown => {
  try {
    return f()
  } catch (error) {
    return error
  }
}

/** `{ a: { b: value } }` for "a.b". */
const nested = (path: string, value: unknown): Record<string, unknown> =>
  path.split(".").reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as Record<string, unknown>

/** Makes an own `__proto__` of JSON the prototype. */
const assigned = (more: object, json: string): object => Object.assign({ ...more }, JSON.parse(json))

const places = ["", "transport", "quota", "quota.maxConcurrency", "headers", "query"]

describe("names that reach a prototype", () => {
  for (const name of ["__proto__", "constructor", "prototype"]) {
    it(`are refused at every level: ${name}`, () => {
      const hostile: unknown = JSON.parse(`{ "${name}": { "baseURL": "http://evil.example" } }`)
      for (const place of places) {
        const inner = place === "headers" || place === "query" ? JSON.parse(`{ "${name}": "x" }`) : hostile
        const options = place === "" ? { ...(hostile as object), apiKey } : { apiKey, ...nested(place, inner) }
        assert.include(refused(configOf(options)), place === "query" ? "query" : name)
        refused(thrown(() => getOpenAIClient({ ...options, apiKey: "sk-test" })))
      }
      refused(thrown(() => makeClients(hostile as ClientLayer.Options)))
      refused(thrown(() => Credential.make({ id: "a", load: Effect.succeed(apiKey), ...(hostile as object) })))
    })
  }

  it("bring no options along when assigned as the prototype", () => {
    const evil = '{ "__proto__": { "baseURL": "http://evil.example" } }'
    assert.strictEqual((assigned({}, evil) as { readonly baseURL?: string }).baseURL, "http://evil.example")
    assert.strictEqual(refused(configOf(assigned({ apiKey }, evil))), "baseURL")
    assert.strictEqual(refused(thrown(() => getOpenAIClient(assigned({ apiKey: "k" }, evil)))), "baseURL")
    const transport = assigned({}, '{ "__proto__": { "proxy": "http://evil.example" } }')
    assert.strictEqual(refused(configOf({ apiKey, transport })), "transport.proxy")
    const quota = assigned({}, '{ "__proto__": { "maxConcurrency": 1 } }')
    assert.strictEqual(refused(configOf({ apiKey, quota })), "quota.maxConcurrency")
    assert.strictEqual(
      refused(thrown(() => makeClients(assigned({}, '{ "__proto__": { "capacity": 1 } }')))),
      "capacity"
    )
  })

  describe("of all objects", () => {
    afterEach(() => {
      Reflect.deleteProperty(Object.prototype, "baseURL")
    })

    it("with polluted prototypes redirect no request", () => {
      // oxlint-disable-next-line no-extend-native -- it is what an attacker does
      Object.defineProperty(Object.prototype, "baseURL", {
        value: "http://evil.example",
        enumerable: true,
        configurable: true,
        writable: true
      })
      assert.strictEqual(refused(configOf({ apiKey })), "baseURL")
      assert.strictEqual(refused(thrown(() => getOpenAIClient({ apiKey: "sk-polluted" }))), "baseURL")
    })
  })

  it("leave objects of classes alone, whose options are getters", () => {
    class Settings {
      readonly apiKey = apiKey
      get timeout(): number {
        return 1_234
      }
    }
    assert.strictEqual((configOf(new Settings()) as ClientConfig.ClientConfig).timeout, 1_234)
  })
})

describe("invalid numbers", () => {
  const never = [Number.NaN, -Infinity, -1, -0.5]
  const fields: Readonly<Record<string, ReadonlyArray<unknown>>> = {
    timeout: [0],
    bodyTimeout: [0],
    deadline: [0],
    maxRetries: [Infinity, 0.5],
    maxRetryAfter: [],
    queueTimeout: [0],
    "transport.maxConnections": [Infinity, 0, 0.5],
    "transport.keepAlive": [0],
    "transport.maxConnectionAge": [0],
    "transport.connectTimeout": [0],
    ...Object.fromEntries(Object.keys(transportLimits).map((name) => [`transport.${name}`, [0, 0.5]])),
    "transport.circuitFailures": [Infinity, 0.5],
    "transport.circuitCooldown": [Infinity, 0],
    "quota.requestsPerMinute": [0],
    "quota.tokensPerMinute": [0],
    "quota.burst": [Infinity, 0, 0.5],
    "quota.maxConcurrency": [0, 0.5],
    "quota.maxWaiters": [0, 0.5],
    "quota.maxConcurrency.initial": [Infinity, 0, 0.5],
    "quota.maxConcurrency.min": [Infinity, 0, 0.5],
    "quota.maxConcurrency.max": [0, 0.5],
    "quota.maxConcurrency.backoff": [Infinity, 0, 1],
    "quota.maxConcurrency.growth": [Infinity, 0],
    "quota.maxConcurrency.tolerance": [0.5]
  }
  for (const [field, more] of Object.entries(fields)) {
    it(`are refused as ${field}, by its name`, () => {
      for (const value of [...never, ...more, "1e999", null, [], {}, true]) {
        // An object of parameters, and a duration's null, mean something elsewhere.
        if (field === "quota.maxConcurrency" && typeof value === "object" && !Array.isArray(value)) continue
        const told = configOf({ apiKey, ...nested(field, value) })
        assert.strictEqual(refused(told), field, String(value))
        if (typeof value === "number") assert.strictEqual((told as OptionsError).received, String(value))
      }
    })
  }

  const layer = [
    "idleTimeToLive",
    "capacity",
    "maxClients",
    "acquireTimeout",
    "maxSockets",
    "drainTimeout",
    "leakWarning"
  ]
  for (const field of layer) {
    it(`are refused as ${field} of a layer, by its name`, () => {
      for (const value of [...never, "1e999", null, [], {}, true]) {
        assert.strictEqual(refused(thrown(() => makeClients({ [field]: value } as ClientLayer.Options))), field)
      }
    })
  }
})

describe("a key with a character that no header can carry", () => {
  const stray = fc.oneof(
    fc.integer({ min: 0, max: 0x1f }).map((code) => String.fromCharCode(code)),
    fc.constant("\x7f"),
    fc.integer({ min: 0x100, max: 0xffff }).map((code) => String.fromCharCode(code))
  )
  const plain = fc.stringMatching(/^[!-~]{1,20}$/)
  const space = fc.stringMatching(/^[ \t\r\n]{0,4}$/)

  it("is refused with the position and no text around it, outer whitespace not counted", () => {
    fc.assert(
      fc.property(space, plain, stray, plain, space, (before, left, odd, right, after) => {
        const raw = `${before}${left}${odd}${right}${after}`
        const position = before.length + left.length + 1
        const told = [
          configOf({ apiKey: Redacted.make(raw) }),
          thrown(() => getOpenAIClient({ apiKey: raw })),
          thrown(() => Credential.fixed(Redacted.make(raw))),
          thrown(() => Credential.pool([Redacted.make(raw)]))
        ]
        for (const error of told) {
          refused(error)
          assert.match((error as OptionsError).received, new RegExp(`position ${position} is `))
          for (const part of [left, right]) if (part.length > 8) assert.notInclude((error as Error).message, part)
        }
      })
    )
  })

  it("but for whitespace around it is the same key", () => {
    fc.assert(
      fc.property(space, plain, space, (before, key, after) => {
        const trimmed = configOf({ apiKey: Redacted.make(key) })
        assert.notInstanceOf(trimmed, OptionsError)
        // Interned: equal configs are one object.
        assert.strictEqual(configOf({ apiKey: Redacted.make(before + key + after) }), trimmed)
        assert.strictEqual(getOpenAIClient({ apiKey: before + key + after }), getOpenAIClient({ apiKey: key }))
      }),
      { numRuns: 20 }
    )
  })

  it.live("that a rotating credential loads fails the request by position, and is not sent", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      for (const loaded of ["sk-CANARY\u2013OSTRICH", "sk-CANARY\nOSTRICH", "sk-CANARY\0OSTRICH"]) {
        const credential = Credential.make({
          id: `vault ${loaded.length}-${loaded.charCodeAt(9)}`,
          load: Effect.succeed(Redacted.make(loaded))
        })
        const error = yield* Effect.flip(
          OpenAiClient.use({ apiKey: credential, baseURL: sandbox.baseURL("openai") }, (client) => client.models.list())
        )
        assert.strictEqual(error._tag === "RequestError" && error.reason, "Authentication")
        assert.strictEqual(error._tag === "RequestError" && error.processed, "no")
        assert.match(error.message, /position 10 is /)
        for (const part of ["CANARY", "OSTRICH"])
          assert.notInclude(inspect(error, { depth: 10, showHidden: true }), part)
      }
      const padded = Credential.make({ id: "padded", load: Effect.succeed(Redacted.make(" sk-padded\r\n")) })
      yield* OpenAiClient.use({ apiKey: padded, baseURL: sandbox.baseURL("openai") }, (client) => client.models.list())
      assert.deepStrictEqual([...sandbox.stats().requestsByKey], [["sk-padded", 1]])
    }).pipe(Effect.scoped, Effect.provide(ClientLayers.layer()))
  )
})
