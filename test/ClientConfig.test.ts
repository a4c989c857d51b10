import { it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Redacted from "effect/Redacted"
import * as assert from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { inspect } from "node:util"
import { describe } from "vitest"
import * as ClientConfig from "../src/ClientConfig.ts"
import type { OptionsError } from "../src/ClientError.ts"
import * as Credential from "../src/Credential.ts"
import * as specs from "../src/internal/config/specs.ts"
import { transportLimits } from "../src/internal/util/bounds.ts"

const apiKey = Redacted.make("sk-test")
const pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"

const under = (env: Readonly<Record<string, string>>) =>
  Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(env))))

/** As callers without types call it. */
const untyped = <P extends string, E extends string>(spec: ClientConfig.Spec<P, E>, options: unknown) =>
  ClientConfig.make(spec, options as ClientConfig.Options<E>)

const refusal = <P extends string, E extends string>(
  spec: ClientConfig.Spec<P, E>,
  options: unknown
): Effect.Effect<OptionsError, ClientConfig.ClientConfig> => Effect.flip(untyped(spec, options)).pipe(under({}))

const openai = (options: unknown) => untyped(specs.openai, options).pipe(under({}))

const trusting = (ca: unknown) => openai({ apiKey, transport: { ca } })

const showing = (cert: string, key: string) => openai({ apiKey, transport: { cert, key: Redacted.make(key) } })

const quota = (options: unknown) => Effect.map(openai({ apiKey, quota: options }), (config) => config.quota)

const concurrency = (options: unknown) =>
  Effect.map(quota({ maxConcurrency: options }), ({ maxConcurrency }) =>
    typeof maxConcurrency === "number" ? maxConcurrency : { ...maxConcurrency }
  )

const quotaKey = (options: object) =>
  Effect.map(openai({ apiKey, ...options }), (config) => ClientConfig.credentialKeys(config)[0]!)

const names = {
  openai: { spec: specs.openai, baseURL: "https://api.openai.com/v1", timeout: 600_000 },
  groq: { spec: specs.groq, baseURL: "https://api.groq.com", timeout: 60_000 },
  cerebras: { spec: specs.cerebras, baseURL: "https://api.cerebras.ai", timeout: 60_000 }
}

describe("defaults", () => {
  it.effect("are those of the SDKs", () =>
    Effect.gen(function* () {
      for (const { spec, baseURL, timeout } of Object.values(names)) {
        const config = yield* untyped(spec, { apiKey }).pipe(under({}))
        assert.deepEqual(
          [config.provider, config.baseURL, config.timeout, config.bodyTimeout, config.deadline, config.maxRetries],
          [spec.id, baseURL, timeout, 300_000, Infinity, 2]
        )
        assert.deepEqual(
          [config.maxRetryAfter, config.queueTimeout, config.retryAmbiguous],
          [60_000, Infinity, "generation"]
        )
        assert.deepEqual(
          { ...config.transport },
          {
            maxConnections: 256,
            http2: true,
            keepAlive: 60_000,
            maxConnectionAge: 300_000,
            connectTimeout: 10_000,
            maxQueue: 100_000,
            maxQueueBytes: 2 ** 29,
            maxResponseBytes: 2 ** 27,
            maxLineBytes: 2 ** 25,
            maxHeadBytes: 16_384,
            maxHeadFields: 128,
            circuitFailures: 64,
            circuitCooldown: 5_000,
            proxy: undefined,
            ca: undefined,
            cert: undefined,
            key: undefined,
            isolation: "shared"
          }
        )
        assert.deepEqual(
          { ...config.quota },
          {
            requestsPerMinute: Infinity,
            tokensPerMinute: Infinity,
            burst: 1,
            maxConcurrency: Infinity,
            maxWaiters: 100_000,
            retriesPerSecond: 10
          }
        )
      }
    })
  )

  it.effect("a config is returned as it is, and refused by another provider", () =>
    Effect.gen(function* () {
      const config = yield* openai({ apiKey })
      assert.ok((yield* openai(config)) === config)
      const error = yield* refusal(specs.groq, config)
      assert.equal(error.message, "groq: option options is a config of openai; expected options or a config of groq")
      assert.ok(ClientConfig.isClientConfig(config))
      assert.ok(!ClientConfig.isClientConfig({ ...config }))
    })
  )
})

describe("the environment", () => {
  it.effect("is the fiber's: one options object under two providers gives two keys", () =>
    Effect.gen(function* () {
      const options = { timeout: 5_000 }
      const [a, b, again] = yield* Effect.all(
        ["key-a", "key-b", "key-a"].map((key) =>
          ClientConfig.make(specs.groq, options).pipe(under({ GROQ_API_KEY: key }))
        ),
        { concurrency: "unbounded" }
      )
      assert.ok(a !== undefined && b !== undefined)
      assert.ok(!Equal.equals(a, b))
      assert.ok(a === again)
      assert.notEqual(ClientConfig.fingerprint(a), ClientConfig.fingerprint(b))
    })
  )

  it.effect("is process.env by default, read anew each time", () =>
    Effect.gen(function* () {
      yield* Effect.addFinalizer(() => Effect.sync(() => delete process.env["CEREBRAS_API_KEY"]))
      process.env["CEREBRAS_API_KEY"] = " one\n"
      const one = yield* ClientConfig.make(specs.cerebras)
      assert.ok(one === (yield* ClientConfig.make(specs.cerebras, { apiKey: Redacted.make("one") })))
      process.env["CEREBRAS_API_KEY"] = "two"
      assert.ok(one !== (yield* ClientConfig.make(specs.cerebras)))
      process.env["CEREBRAS_API_KEY"] = "  "
      assert.equal((yield* Effect.flip(ClientConfig.make(specs.cerebras))).received, "absent")
    }).pipe(Effect.scoped)
  )

  it.effect("has every variable that the SDK reads", () =>
    Effect.gen(function* () {
      const env = {
        OPENAI_BASE_URL: "https://Gateway.example:443/v1/",
        OPENAI_ORG_ID: "org, with a comma",
        OPENAI_PROJECT_ID: "proj",
        OPENAI_CUSTOM_HEADERS: "X-A: 1, 2\nnonsense\nx-a: 3\nX-B: b:c"
      }
      const config = yield* ClientConfig.make(specs.openai, { apiKey, headers: { "x-b": "mine" } }).pipe(under(env))
      assert.equal(config.baseURL, "https://gateway.example/v1")
      assert.deepEqual({ ...config.extra }, { organization: "org, with a comma", project: "proj" })
      assert.deepEqual({ ...config.headers }, { "x-a": "3", "x-b": "mine" })
      const none = yield* ClientConfig.make(specs.openai, { apiKey, organization: null }).pipe(under(env))
      assert.equal(none.extra["organization"], undefined)
    })
  )

  it.effect("that can't be read is an OptionsError", () =>
    Effect.gen(function* () {
      const broken = ConfigProvider.fromMap(new Map()).pipe(
        ConfigProvider.mapInputPath((path) => {
          if (path === "GROQ_API_KEY") throw new Error("sk-canary")
          return path
        })
      )
      const exit = yield* Effect.exit(ClientConfig.make(specs.groq).pipe(Effect.withConfigProvider(broken)))
      assert.equal(exit._tag, "Failure")
      const printed = inspect(exit, { depth: 10 })
      assert.ok(printed.includes("OptionsError") && !printed.includes("canary"), printed)
      // The provider itself is sound where nobody breaks it.
      assert.equal(yield* Config.string("A").pipe(under({ A: "a" })), "a")
    })
  )
})

describe("azure", () => {
  const azure = { apiKey, apiVersion: "2025-01-01" }
  const make = (options: object, env = {}) => untyped(specs.azure, { ...azure, ...options }).pipe(under(env))

  it.effect("treats endpoint and baseURL as equivalent", () =>
    Effect.gen(function* () {
      const one = yield* make({ endpoint: "https://r.azure.com/" })
      assert.equal(one.baseURL, "https://r.azure.com/openai")
      assert.ok(one === (yield* make({ baseURL: "https://R.azure.com/openai" })))
      assert.ok(one === (yield* make({}, { AZURE_OPENAI_ENDPOINT: "https://r.azure.com" })))
      // An explicit endpoint wins over the environment, where the SDK gives up.
      assert.ok(one === (yield* make({ endpoint: "https://r.azure.com" }, { OPENAI_BASE_URL: "https://x.example" })))
      const gateway = yield* make(
        {},
        { OPENAI_BASE_URL: "https://x.example", AZURE_OPENAI_ENDPOINT: "https://y.example" }
      )
      assert.equal(gateway.baseURL, "https://x.example")
      assert.ok(!("endpoint" in one.extra))
      const both = yield* Effect.flip(make({ endpoint: "https://r.azure.com", baseURL: "https://x.example" }))
      assert.equal(both.field, "endpoint")
    })
  )

  it.effect("names the missing option and its sources", () =>
    Effect.gen(function* () {
      const version = yield* refusal(specs.azure, { apiKey, endpoint: "https://r.azure.com" })
      assert.equal(
        version.message,
        "azure: option apiVersion is absent; expected the option apiVersion, or the environment variable OPENAI_API_VERSION"
      )
      const endpoint = yield* refusal(specs.azure, azure)
      assert.match(endpoint.expected, /baseURL or endpoint, .* OPENAI_BASE_URL or AZURE_OPENAI_ENDPOINT$/)
    })
  )
})

describe("validation", () => {
  type Case = readonly [what: string, options: unknown, field: string, received: RegExp]
  const cases: ReadonlyArray<Case> = [
    ["a missing key", { apiKey: undefined }, "apiKey", /^absent$/],
    ["a plain string for a key", { apiKey: "sk-canary" }, "apiKey", /^a plain string$/],
    ["an empty key", { apiKey: Redacted.make(" \n") }, "apiKey", /^an empty secret$/],
    ["a line break in a key", { apiKey: Redacted.make("\nab\nc") }, "apiKey", /position 4 is a control/],
    [
      "a dash from a word processor in a key",
      { apiKey: Redacted.make("sk\u2013canary") },
      "apiKey",
      /position 3 is not in Latin-1/
    ],
    ["a key that was wiped", { apiKey: wiped() }, "apiKey", /wiped/],
    ["NaN", { timeout: Number.NaN }, "timeout", /^NaN$/],
    ["a negative timeout", { bodyTimeout: -1 }, "bodyTimeout", /^-1$/],
    ["a timeout of 0", { deadline: "0 seconds" }, "deadline", /string of 9/],
    ["a timeout that timers can't hold", { timeout: 2 ** 31 }, "timeout", /^2147483648$/],
    ["a fraction of a retry", { maxRetries: 1.5 }, "maxRetries", /^1\.5$/],
    ["a number in a string", { maxRetries: "2" }, "maxRetries", /string of 1/],
    ["half a connection", { transport: { maxConnections: 0.5 } }, "transport.maxConnections", /^0\.5$/],
    ["no connections", { transport: { maxConnections: 0 } }, "transport.maxConnections", /^0$/],
    ["a switch in words", { transport: { http2: "false" } }, "transport.http2", /string of 5/],
    ["an unknown isolation", { transport: { isolation: "tenant" } }, "transport.isolation", /string of 6/],
    ["a private key in the open", { transport: { cert: pem, key: "canary" } }, "transport.key", /string of 6/],
    ["a certificate without its key", { transport: { cert: pem } }, "transport.key", /^absent$/],
    ["a proxy with a path", { transport: { proxy: "http://me:canary@p/x" } }, "transport.proxy", /with a path/],
    [
      "a proxy with a stray %",
      { transport: { proxy: "http://me:can%ary@p" } },
      "transport.proxy",
      /invalid percent-encoding/
    ],
    ...Object.keys(transportLimits).flatMap((name): ReadonlyArray<Case> => [
      [`a ${name} of 0`, { transport: { [name]: 0 } }, `transport.${name}`, /^0$/],
      [`half a ${name}`, { transport: { [name]: 1.5 } }, `transport.${name}`, /^1\.5$/],
      [`a ${name} that is none`, { transport: { [name]: Number.NaN } }, `transport.${name}`, /^NaN$/],
      [`a ${name} in words`, { transport: { [name]: "16 MB" } }, `transport.${name}`, /string of 5/]
    ]),
    ["a rate of 0", { quota: { requestsPerMinute: 0 } }, "quota.requestsPerMinute", /^0$/],
    ["a rate that is none", { quota: { requestsPerMinute: Number.NaN } }, "quota.requestsPerMinute", /^NaN$/],
    ["tokens below 0", { quota: { tokensPerMinute: -1 } }, "quota.tokensPerMinute", /^-1$/],
    ["tokens in words", { quota: { tokensPerMinute: "100k" } }, "quota.tokensPerMinute", /string of 4/],
    ["no burst", { quota: { burst: 0 } }, "quota.burst", /^0$/],
    ["half a burst", { quota: { burst: 1.5 } }, "quota.burst", /^1\.5$/],
    ["a burst without end", { quota: { burst: Infinity } }, "quota.burst", /^Infinity$/],
    ["no waiters", { quota: { maxWaiters: 0 } }, "quota.maxWaiters", /^0$/],
    ["half a waiter", { quota: { maxWaiters: 1.5 } }, "quota.maxWaiters", /^1\.5$/],
    ["half a concurrency", { quota: { maxConcurrency: 1.5 } }, "quota.maxConcurrency", /^1\.5$/],
    ["no concurrency", { quota: { maxConcurrency: 0 } }, "quota.maxConcurrency", /^0$/],
    ["a concurrency of null", { quota: { maxConcurrency: null } }, "quota.maxConcurrency", /^null$/],
    ["another word for adaptive", { quota: { maxConcurrency: "auto" } }, "quota.maxConcurrency", /string of 4/],
    ["a list of concurrencies", { quota: { maxConcurrency: [1] } }, "quota.maxConcurrency", /^an array$/],
    ["a Retry-After below 0", { maxRetryAfter: -1 }, "maxRetryAfter", /^-1$/],
    ["a Retry-After that timers can't hold", { maxRetryAfter: "25 days" }, "maxRetryAfter", /string of 7/],
    ["a queue that is left at once", { queueTimeout: 0 }, "queueTimeout", /^0$/],
    ["a queue in words", { queueTimeout: "a while" }, "queueTimeout", /string of 7/],
    ["half a failure", { transport: { circuitFailures: 0.5 } }, "transport.circuitFailures", /^0\.5$/],
    ["failures below 0", { transport: { circuitFailures: -1 } }, "transport.circuitFailures", /^-1$/],
    ["yes for failures", { transport: { circuitFailures: true } }, "transport.circuitFailures", /^true$/],
    ["no cooldown", { transport: { circuitCooldown: 0 } }, "transport.circuitCooldown", /^0$/],
    ["a cooldown without end", { transport: { circuitCooldown: Infinity } }, "transport.circuitCooldown", /^Infinity$/],
    ["another word for what is sent again", { retryAmbiguous: "sometimes" }, "retryAmbiguous", /string of 9/],
    ["yes for what is sent again", { retryAmbiguous: true }, "retryAmbiguous", /^true$/],
    ["another scheme", { baseURL: "ftp://canary" }, "baseURL", /not such a URL/],
    ["no scheme", { baseURL: "api.example" }, "baseURL", /not such a URL/],
    ["a line break in a URL", { baseURL: "https://can\nary" }, "baseURL", /not such a URL/],
    ["a port out of range", { baseURL: "https://h:99999" }, "baseURL", /not such a URL/],
    ["a user in a URL", { baseURL: "https://me:canary@h" }, "baseURL", /a user or password/],
    ["a query in a URL", { baseURL: "https://h/?code=canary" }, "baseURL", /a query/],
    ["a smuggled header", { headers: { "x-a": "1\r\nx-b: canary" } }, "headers.x-a", /position 2$/],
    ["a NUL in a header", { headers: [["x-a", "\0canary"]] }, "headers.x-a", /position 1$/],
    ["a space in a header's name", { headers: { "x a": "" } }, "headers", /position 2$/],
    ["a header twice", { headers: { "X-A": "1", "x-a": "2" } }, "headers.x-a", /^given twice$/],
    ["a number as a header", { headers: { "x-a": 1 } }, "headers.x-a", /^1$/],
    ["a header of the prototype", { headers: JSON.parse('{"constructor":"a"}') }, "headers.constructor", /prototype/],
    ["text for headers", { headers: "x-a: 1" }, "headers", /string of 6/],
    ["a parameter of the prototype", { query: JSON.parse('{"__proto__":"a"}') }, "query", /__proto__/],
    ["lone surrogate", { query: { a: "\ud800" } }, "query.a", /surrogate/],
    ["an unknown option", { timeOut: 1 }, "timeOut", /^unknown$/],
    ["an unknown option below", { transport: { maxConection: 1 } }, "transport.maxConection", /^unknown$/],
    ["an empty organization", { organization: "" }, "organization", /^empty$/],
    [
      "a getter that throws",
      {
        get timeout() {
          throw new Error("canary")
        }
      },
      "options",
      /throws/
    ],
    ["null", null, "options", /^null$/],
    ["a key in place of options", apiKey, "options", /Redacted/]
  ]

  for (const [what, options, field, received] of cases) {
    it.effect(`refuses ${what}`, () =>
      Effect.gen(function* () {
        // A getter must stay one.
        const full =
          typeof options === "object" && options !== null && !Redacted.isRedacted(options) && !("apiKey" in options)
            ? Object.defineProperties({ apiKey }, Object.getOwnPropertyDescriptors(options))
            : options
        const error = yield* refusal(specs.openai, full)
        assert.equal(error._tag, "OptionsError")
        assert.equal(error.field, field)
        assert.match(error.received, received)
        assert.ok(!inspect(error).includes("canary"))
      })
    )
  }

  const connection = [
    "Host",
    "content-length",
    "Connection",
    "transfer-encoding",
    "http2-settings",
    "keep-alive",
    "upgrade",
    "te",
    "trailer"
  ]
  for (const name of [...connection, "proxy-authorization"]) {
    it.effect(`refuses the header ${name}`, () =>
      Effect.gen(function* () {
        assert.equal(
          (yield* refusal(specs.openai, { apiKey, headers: { [name]: "x" } })).field,
          `headers.${name.toLowerCase()}`
        )
        const env = { OPENAI_CUSTOM_HEADERS: `${name}: x` }
        const error = yield* Effect.flip(ClientConfig.make(specs.openai, { apiKey }).pipe(under(env)))
        assert.equal(error.field, `OPENAI_CUSTOM_HEADERS.${name.toLowerCase()}`)
      })
    )
  }

  it.effect("suggests the nearest name for a misspelt option", () =>
    Effect.gen(function* () {
      for (const [wrong, right] of [
        ["timeOut", "timeout"],
        ["defaultHeaders", "headers"],
        ["api_key", "apiKey"],
        ["organisation", "organization"]
      ]) {
        assert.match(
          (yield* refusal(specs.openai, { [wrong ?? ""]: 1 })).expected,
          new RegExp(`; did you mean ${right}\\?$`)
        )
      }
      assert.doesNotMatch((yield* refusal(specs.openai, { banana: 1 })).expected, /did you mean/)
    })
  )
})

describe("TLS material", () => {
  it.effect("is trusted whatever the order, the line ends and the files of its certificates", () =>
    Effect.gen(function* () {
      const [a, b] = [pem, pem.replace("AAAA", "BBBB")]
      const one = yield* trusting([a, b])
      assert.ok(one === (yield* trusting(`${b}\n${a}\n`)))
      assert.ok(one === (yield* trusting([Buffer.from(b.replaceAll("\n", "\r\n")), a, a])))
      assert.ok(one !== (yield* trusting(a)))
    })
  )

  it.effect("makes another client where it differs, in certificate or key", () =>
    Effect.gen(function* () {
      const [other, key] = [pem.replace("AAAA", "BBBB"), pem.replaceAll("CERTIFICATE", "PRIVATE KEY")]
      const one = yield* showing(pem, key)
      assert.ok(one === (yield* showing(`${pem.replaceAll("\n", "\r\n")}\n`, key)))
      for (const two of [
        yield* showing(other, key),
        yield* showing(pem, key.replace("AAAA", "CCCC")),
        yield* openai({ apiKey })
      ]) {
        assert.ok(!Equal.equals(one, two))
        assert.ok(!Equal.equals(ClientConfig.transportKey(one), ClientConfig.transportKey(two)))
        assert.notEqual(ClientConfig.fingerprint(one), ClientConfig.fingerprint(two))
      }
    })
  )
})

describe("limits", () => {
  const adaptive = { initial: 10, min: 1, max: Infinity, backoff: 0.8, growth: 1, tolerance: 2 }

  it.effect("are kept as given", () =>
    Effect.gen(function* () {
      const said = {
        requestsPerMinute: 0.5,
        tokensPerMinute: 250_000,
        burst: 20,
        maxConcurrency: 4,
        maxWaiters: 9,
        retriesPerSecond: 3
      }
      assert.deepEqual({ ...(yield* quota(said)) }, said)
      const config = yield* openai({ apiKey, maxRetryAfter: "90 seconds", queueTimeout: "1.5 seconds" })
      assert.deepEqual([config.maxRetryAfter, config.queueTimeout], [90_000, 1_500])
      const never = yield* openai({ apiKey, maxRetryAfter: 0, queueTimeout: Infinity })
      assert.deepEqual([never.maxRetryAfter, never.queueTimeout], [0, Infinity])
      assert.equal((yield* openai({ apiKey, maxRetryAfter: Infinity })).maxRetryAfter, Infinity)
    })
  )

  it.effect("that adapt are one key, with defaults explicit or left out", () =>
    Effect.gen(function* () {
      const one = yield* openai({ apiKey, quota: { maxConcurrency: "adaptive" } })
      for (const same of [{}, { initial: undefined }, { backoff: 0.8 }, adaptive]) {
        assert.ok(one === (yield* openai({ apiKey, quota: { maxConcurrency: same } })))
      }
      assert.deepEqual(yield* concurrency("adaptive"), adaptive)
      assert.ok(one !== (yield* openai({ apiKey, quota: { maxConcurrency: 10 } })))
      assert.ok(one !== (yield* openai({ apiKey })))
    })
  )

  it.effect("that adapt begin within their bounds", () =>
    Effect.gen(function* () {
      assert.deepEqual(yield* concurrency({ max: 4 }), { ...adaptive, max: 4, initial: 4 })
      assert.deepEqual(yield* concurrency({ min: 30 }), { ...adaptive, min: 30, initial: 30 })
      assert.deepEqual(yield* concurrency({ min: 2, initial: 2, max: 2 }), { ...adaptive, min: 2, initial: 2, max: 2 })
    })
  )

  it.effect("that adapt are refused with valid values", () =>
    Effect.gen(function* () {
      for (const [given, name, received, expected] of [
        [{ min: 0 }, "min", "0", "an integer of at least 1"],
        [{ min: 1.5 }, "min", "1.5", "an integer of at least 1"],
        [{ min: 5, max: 4 }, "max", "4", "an integer of at least min, which is 5, or Infinity for no bound"],
        [
          { max: "9" },
          "max",
          "a string of 1 characters",
          "an integer of at least min, which is 1, or Infinity for no bound"
        ],
        [{ min: 2, initial: 1 }, "initial", "1", "an integer of at least min, which is 2"],
        [{ max: 9, initial: 10 }, "initial", "10", "an integer from min to max, which are 1 and 9"],
        [{ initial: Infinity }, "initial", "Infinity", "an integer of at least min, which is 1"],
        [{ backoff: 1 }, "backoff", "1", "a number above 0 and below 1"],
        [{ backoff: 0 }, "backoff", "0", "a number above 0 and below 1"],
        [{ growth: 0 }, "growth", "0", "a finite number above 0"],
        [{ growth: Infinity }, "growth", "Infinity", "a finite number above 0"],
        [{ tolerance: 0.9 }, "tolerance", "0.9", "a number of at least 1, or Infinity to react to refusals alone"],
        [
          { tolerance: Number.NaN },
          "tolerance",
          "NaN",
          "a number of at least 1, or Infinity to react to refusals alone"
        ]
      ] as const) {
        const error = yield* refusal(specs.openai, { apiKey, quota: { maxConcurrency: given } })
        assert.deepEqual(
          [error.field, error.received, error.expected],
          [`quota.maxConcurrency.${name}`, received, expected]
        )
      }
      const misspelt = yield* refusal(specs.openai, { apiKey, quota: { maxConcurrency: { maximum: 9 } } })
      assert.equal(misspelt.field, "quota.maxConcurrency.maximum")
      assert.equal(
        (yield* refusal(specs.openai, { apiKey, quota: { maxConcurrency: -1 } })).expected,
        'an integer of at least 1, Infinity for no limit, "adaptive", or an object of its parameters'
      )
    })
  )
})

describe("keys of shared resources", () => {
  it.effect("transports are shared across keys and paths, unless a client is isolated", () =>
    Effect.gen(function* () {
      const a = yield* openai({ apiKey })
      const b = yield* openai({ apiKey: Redacted.make("other"), baseURL: "https://api.openai.com/v2" })
      assert.ok(ClientConfig.transportKey(a) === ClientConfig.transportKey(b))
      assert.equal(ClientConfig.transportKey(a).origin, "https://api.openai.com")
      const transport = { isolation: "client" }
      const c = yield* openai({ apiKey, transport })
      const d = yield* openai({ apiKey: Redacted.make("other"), transport })
      assert.ok(!Equal.equals(ClientConfig.transportKey(c), ClientConfig.transportKey(d)))
      assert.ok(ClientConfig.transportKey(c).isolation === c)
    })
  )

  it.effect("quotas are shared by all clients of a credential, whatever else differs", () =>
    Effect.gen(function* () {
      const one = yield* quotaKey({})
      assert.ok(
        one === (yield* quotaKey({ timeout: 1, headers: { a: "b" }, quota: { maxConcurrency: 1 }, maxRetries: 9 }))
      )
      assert.ok(one !== (yield* quotaKey({ organization: "o" })))
      assert.ok(one !== (yield* quotaKey({ project: "p" })))
      assert.ok(one !== (yield* quotaKey({ baseURL: "https://x.example" })))
      assert.ok(one !== (yield* quotaKey({ apiKey: Redacted.make("other") })))
    })
  )
})

describe("credentials in a config", () => {
  const load = Effect.succeed(Redacted.make("token"))

  it.effect("are identified by id and version", () =>
    Effect.gen(function* () {
      const one = yield* openai({ apiKey: Credential.make({ id: "a", load }) })
      assert.ok(one === (yield* openai({ apiKey: Credential.make({ id: "a", load: Effect.succeed(apiKey) }) })))
      assert.ok(one !== (yield* openai({ apiKey: Credential.make({ id: "b", load }) })))
      assert.ok(one !== (yield* openai({ apiKey: Credential.make({ id: "a", load, version: 1 }) })))
      assert.ok((yield* openai({ apiKey })) === (yield* openai({ apiKey: Credential.fixed(apiKey) })))
    })
  )

  it.effect("a version that changes makes another config, and one that comes back the first", () =>
    Effect.gen(function* () {
      let version = 1
      const credential = Credential.make({ id: "v", load, version: Effect.sync(() => version) })
      const one = yield* openai({ apiKey: credential })
      assert.ok(one === (yield* openai({ apiKey: credential })))
      version = 2
      assert.ok(one !== (yield* openai({ apiKey: credential })))
      version = 1
      assert.ok(one === (yield* openai({ apiKey: credential })))
      version = Number.NaN
      assert.match((yield* Effect.flip(openai({ apiKey: credential }))).received, /version/)
    })
  )
})

describe("a custom provider", () => {
  it.effect("declares its options, variables and checks", () =>
    Effect.gen(function* () {
      const spec: ClientConfig.Spec<"acme", "region"> = {
        id: "acme",
        baseURL: "https://acme.example/",
        env: { apiKey: "ACME_KEY" },
        extra: {
          region: { env: "ACME_REGION", accepts: { test: (text) => /^[a-z]+$/.test(text), expected: "letters" } }
        }
      }
      const config = yield* ClientConfig.make(spec, { region: "west" }).pipe(under({ ACME_KEY: "k" }))
      assert.deepEqual(
        [config.baseURL, config.extra["region"], config.timeout],
        ["https://acme.example", "west", 600_000]
      )
      const error = yield* Effect.flip(ClientConfig.make(spec, { apiKey }).pipe(under({ ACME_REGION: "7" })))
      assert.deepEqual([error.field, error.expected], ["ACME_REGION", "letters"])
      const taken = { id: "acme", extra: { timeout: {} } } as const
      assert.equal((yield* refusal(taken, {})).field, "spec.extra")
    })
  )
})

describe("the table of configs", () => {
  const collect = Effect.promise(async () => {
    for (let i = 0; i < 2; i++) {
      await sleep(5)
      globalThis.gc?.()
    }
  })

  it.live(
    "drops unreferenced configs, and keeps referenced ones",
    () =>
      Effect.gen(function* () {
        const kept = yield* openai({ apiKey })
        yield* collect
        const before = process.memoryUsage().heapUsed
        const watched: Array<WeakRef<object>> = []
        for (let batch = 0; batch < 5; batch++) {
          for (let i = 0; i < 4_000; i++) {
            const config = yield* ClientConfig.make(specs.groq, { apiKey: Redacted.make(`one-off-${batch}-${i}`) })
            ClientConfig.credentialKeys(config)
            if (i % 100 === 0) watched.push(new WeakRef(config))
          }
          yield* collect
        }
        yield* collect
        const alive = watched.filter((ref) => ref.deref() !== undefined).length
        assert.ok(alive < 20, `${alive} of ${watched.length} are still there`)
        const grown = process.memoryUsage().heapUsed - before
        assert.ok(grown < 5_000_000, `the heap grew by ${grown} bytes`)
        assert.ok(kept === (yield* openai({ apiKey })))
      }),
    180_000
  )
})

function wiped(): Redacted.Redacted {
  const key = Redacted.make("sk")
  Redacted.unsafeWipe(key)
  return key
}
