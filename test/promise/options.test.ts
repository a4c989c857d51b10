import { Cerebras, type ClientOptions as CerebrasClientOptions } from "@cerebras/cerebras_cloud_sdk"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import { Groq, type ClientOptions as GroqClientOptions } from "groq-sdk"
import * as assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { inspect } from "node:util"
import { AzureOpenAI, OpenAI, type AzureClientOptions, type ClientOptions } from "openai"
import { AzureOpenAI as AzureOpenAI6, OpenAI as OpenAI6, type ClientOptions as ClientOptions6 } from "openai6"
import { Agent } from "undici"
import { afterEach, beforeEach, describe, expectTypeOf } from "vitest"
import { render } from "../../scripts/optionsTable.ts"
import * as AzureOpenAiClient from "../../src/AzureOpenAiClient.ts"
import * as CerebrasClient from "../../src/CerebrasClient.ts"
import { OptionsError } from "../../src/ClientError.ts"
import * as Credential from "../../src/Credential.ts"
import * as GroqClient from "../../src/GroqClient.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as azure from "../../src/internal/promise/options/azure.ts"
import * as cerebras from "../../src/internal/promise/options/cerebras.ts"
import * as groq from "../../src/internal/promise/options/groq.ts"
import * as openai from "../../src/internal/promise/options/openai.ts"
import { type Bypass, isBypass, type Reading } from "../../src/internal/promise/options/reading.ts"
import type { Row, Table } from "../../src/internal/promise/options/table.ts"

type Options = Readonly<Record<string, unknown>>

interface Door {
  readonly table: Table
  readonly read: (options?: unknown) => Reading | Bypass
  readonly rawKey: (options?: unknown) => string | undefined
}

/** What each needs beside an option under test. */
const doors: Readonly<Record<string, Door & { readonly least: Options }>> = {
  openai: { ...openai, least: { apiKey: "sk-test" } },
  azure: { ...azure, least: { apiKey: "sk-test", endpoint: "https://films.azure.test", apiVersion: "2024-10-21" } },
  groq: { ...groq, least: { apiKey: "sk-test" } },
  cerebras: { ...cerebras, least: { apiKey: "sk-test" } }
}

const read = (door: Door, options?: unknown): Reading => {
  const all = door.read(options)
  assert.ok(!isBypass(all), "used as given")
  return all
}

const bypass = (door: Door, options: unknown): string => {
  const all = door.read(options)
  assert.ok(isBypass(all), "pooled")
  return all.bypass
}

const refusal = (door: Door, options: unknown): OptionsError => {
  try {
    door.read(options)
  } catch (error) {
    assert.ok(error instanceof OptionsError, inspect(error))
    return error
  }
  throw new assert.AssertionError({ message: `${inspect(options)} was taken` })
}

const isSame = (a: Reading, b: Reading): boolean =>
  a.config === b.config &&
  Object.keys(a.sdk).length === Object.keys(b.sdk).length &&
  Object.keys(a.sdk).every((name) => name in b.sdk && Object.is(a.sdk[name], b.sdk[name]))

const { OPENAI, AZURE, GROQ, CEREBRAS } = {
  OPENAI: /^OPENAI_/,
  AZURE: /^AZURE_/,
  GROQ: /^GROQ_/,
  CEREBRAS: /^CEREBRAS_/
}
let before: NodeJS.ProcessEnv = {}

beforeEach(() => {
  before = { ...process.env }
  for (const name of Object.keys(process.env)) {
    if ([OPENAI, AZURE, GROQ, CEREBRAS].some((prefix) => prefix.test(name))) delete process.env[name]
  }
})

afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
  Object.assign(process.env, before)
})

const setEnv = (variables: Readonly<Record<string, string>>): void => void Object.assign(process.env, variables)

const azureKey = () => Effect.runSync(AzureOpenAiClient.config({ baseURL: "https://films.test" })).credential
const token = async () => "token"

describe("the config", () => {
  const same = {
    timeout: 5_000,
    maxRetries: 4,
    bodyTimeout: "20 seconds",
    deadline: "1 minute",
    maxRetryAfter: 3_000,
    queueTimeout: "2 seconds",
    quota: { requestsPerMinute: 60, maxConcurrency: 7 },
    transport: { maxConnections: 3, http2: false }
  } as const
  const apiKey = Redacted.make("sk-test")
  const theirs = {
    ...same,
    apiKey: "sk-test",
    defaultHeaders: new Headers({ "X-Team": "films" }),
    defaultQuery: { b: "2", a: "1" }
  }
  const its = { ...same, apiKey, headers: { "x-team": "films" }, query: { a: "1", b: "2" } }

  it("is that of the Effect modules for the same meaning, the same object", () => {
    const baseURL = "https://gateway.test/v1/"
    assert.equal(
      read(openai, { ...theirs, baseURL, organization: "org", project: "films" }).config,
      Effect.runSync(OpenAiClient.config({ ...its, baseURL, organization: "org", project: "films" }))
    )
    const place = { endpoint: "https://films.azure.test", apiVersion: "2024-10-21", deployment: "small" }
    assert.equal(
      read(azure, { ...theirs, ...place }).config,
      Effect.runSync(AzureOpenAiClient.config({ ...its, ...place }))
    )
    assert.equal(read(groq, { ...theirs, baseURL }).config, Effect.runSync(GroqClient.config({ ...its, baseURL })))
    assert.equal(
      read(cerebras, { ...theirs, baseURL, defaultHeaders: { "X-Team": "films" } }).config,
      Effect.runSync(CerebrasClient.config({ ...its, baseURL }))
    )
  })

  it("comes from the environment where options say nothing", () => {
    setEnv({
      OPENAI_API_KEY: " sk-env ",
      OPENAI_BASE_URL: "https://gateway.test/v1",
      OPENAI_ORG_ID: "org",
      OPENAI_PROJECT_ID: "films",
      OPENAI_CUSTOM_HEADERS: "X-Team: films",
      AZURE_OPENAI_API_KEY: "az-env",
      OPENAI_API_VERSION: "2024-10-21",
      GROQ_API_KEY: "gsk-env",
      GROQ_BASE_URL: "https://gateway.test/groq",
      CEREBRAS_API_KEY: "csk-env",
      CEREBRAS_CUSTOM_HEADERS: "X-Team: films"
    })
    assert.equal(read(openai).config, Effect.runSync(OpenAiClient.config()))
    assert.equal(read(azure, { baseURL: "https://films.test" }).config.credential, azureKey())
    assert.equal(read(groq, { logger: undefined }).config, Effect.runSync(GroqClient.config()))
    assert.equal(read(cerebras, {}).config, Effect.runSync(CerebrasClient.config()))
    assert.deepEqual({ ...read(cerebras).config.headers }, { "x-team": "films" })
  })

  it("takes a key that is wrapped, and one that changes", () => {
    assert.ok(isSame(read(openai, { apiKey }), read(openai, { apiKey: "sk-test" })))
    const credential = Credential.make({ id: "vault/openai", load: Effect.succeed(apiKey) })
    assert.equal(read(groq, { apiKey: credential }).config, Effect.runSync(GroqClient.config({ apiKey: credential })))
    const slow = Credential.make({ id: "x", load: Effect.succeed(apiKey), version: Effect.as(Effect.yieldNow(), 1) })
    const never = Credential.make({ id: "x", load: Effect.succeed(apiKey), version: Effect.never })
    assert.equal(refusal(openai, { apiKey: never }).received, "a Credential whose version is not there at once")
    assert.equal(openai.rawKey({ apiKey: slow }), undefined)
  })

  it("takes the private key of `transport` as plain text too", () => {
    const transport = {
      cert: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
      key: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"
    }
    assert.equal(
      read(openai, { apiKey, transport }).config,
      Effect.runSync(OpenAiClient.config({ apiKey, transport: { ...transport, key: Redacted.make(transport.key) } }))
    )
  })

  it("has the base URL of a region of openai's", () => {
    const { config } = read(openai, { apiKey: "sk-test", dataResidency: "eu" })
    assert.equal(config.baseURL, "https://eu.api.openai.com/v1")
    assert.equal(config.baseURL, new OpenAI({ apiKey: "sk-test", dataResidency: "eu" }).baseURL)
    const beside = refusal(openai, { apiKey: "sk-test", dataResidency: "eu", baseURL: "https://gateway.test" })
    assert.equal(beside.received, "given beside baseURL")
    assert.equal(
      refusal(openai, { apiKey: "sk-test", dataResidency: "constructor" }).expected,
      "one of global, us, eu, ae, au, in, jp"
    )
  })
})

describe("a key that is a function", () => {
  it("is called by the SDK alone, and its clients are one by the function object", () => {
    let calls = 0
    const apiKey = async () => `sk-${++calls}`
    const first = read(openai, { apiKey })
    assert.ok(isSame(first, read(openai, { apiKey })))
    assert.equal(first.sdk["apiKey"], apiKey)
    assert.notEqual(first.config, read(openai, { apiKey: async () => `sk-${++calls}` }).config)
    assert.equal(calls, 0)
  })

  it("is azureADTokenProvider for Azure, which does not go with a key", () => {
    setEnv({ OPENAI_API_VERSION: "2024-10-21", AZURE_OPENAI_ENDPOINT: "https://films.azure.test" })
    const azureADTokenProvider = token
    const { config, sdk } = read(azure, { azureADTokenProvider })
    assert.equal(sdk["azureADTokenProvider"], azureADTokenProvider)
    assert.equal("apiKey" in sdk, false)
    assert.notEqual(config, read(azure, { azureADTokenProvider: async () => "token" }).config)
    assert.equal(refusal(azure, { azureADTokenProvider, apiKey: "az" }).received, "given beside apiKey")
    assert.equal(refusal(azure, { azureADTokenProvider: "token" }).field, "azureADTokenProvider")
    assert.equal(refusal(azure, { apiKey: azureADTokenProvider }).received, "a function")
  })
})

describe("null", () => {
  it("is none, whatever the environment says, where the SDK has it so", () => {
    setEnv({ OPENAI_ORG_ID: "org", OPENAI_BASE_URL: "https://gateway.test", OPENAI_WEBHOOK_SECRET: "whsec" })
    const { config, sdk } = read(openai, { apiKey: "sk-test", organization: null, baseURL: null, webhookSecret: null })
    assert.equal(config.baseURL, "https://api.openai.com/v1")
    assert.equal(config.extra["organization"], undefined)
    assert.equal(sdk["webhookSecret"], null)
    assert.equal(sdk["organization"], null)
    assert.equal(read(openai, { apiKey: "sk-test" }).sdk["webhookSecret"], "whsec")
    setEnv({ AZURE_OPENAI_ENDPOINT: "https://films.azure.test" })
    const place = { apiKey: "az", apiVersion: "2024-10-21" }
    assert.equal(read(azure, place).config.baseURL, "https://gateway.test")
    assert.equal(read(azure, { ...place, baseURL: null }).config.baseURL, "https://films.azure.test/openai")
  })

  it("is the same as absent where it says nothing", () => {
    const options = { apiKey: "sk-test", timeout: null, maxRetries: null, fetch: null, logger: null, quota: null }
    assert.ok(isSame(read(openai, options), read(openai, { apiKey: "sk-test" })))
  })

  it("as openai's key leaves the admin's, or nobody's", () => {
    const { config, sdk } = read(openai, { apiKey: null, adminAPIKey: "sk-admin" })
    assert.equal(config, read(openai, { apiKey: "sk-admin" }).config)
    assert.equal(sdk["apiKey"], null)
    assert.equal(sdk["adminAPIKey"], "sk-admin")
    assert.equal(refusal(openai, { apiKey: null }).received, "null")
    assert.equal(refusal(groq, { apiKey: null }).received, "null")
  })
})

/** A value of each that differs from what the option has by itself. */
const samples: Readonly<Record<string, unknown>> = {
  apiKey: "sk-other",
  adminAPIKey: "sk-admin",
  organization: "org",
  project: "films",
  webhookSecret: "whsec",
  baseURL: "https://gateway.test/v1",
  dataResidency: "eu",
  endpoint: "https://series.azure.test",
  deployment: "small",
  apiVersion: "2025-01-01",
  timeout: 1_234,
  maxRetries: 7,
  defaultHeaders: { "x-team": "films" },
  defaultQuery: { team: "films" },
  logger: console,
  logLevel: "debug",
  dangerouslyAllowBrowser: true,
  fetchOptions: { redirect: "manual" },
  "fetchOptions.redirect": "error",
  azureADTokenProvider: async () => "token",
  bodyTimeout: 1_234,
  deadline: 1_234,
  maxRetryAfter: 1_234,
  queueTimeout: 1_234,
  quota: { requestsPerMinute: 3 },
  transport: { maxConnections: 3 }
}

const rows = Object.entries(doors).flatMap(([provider, door]) =>
  Object.entries<Row>(door.table).map(([name, row]) => ({ provider, door, name, row }))
)

const known = (table: Table) => new Set(Object.values(table).map((row) => row.env))

describe("the table", () => {
  for (const { door, name, provider, row } of rows) {
    it(`of ${provider} keeps its word for ${name}: ${row.fate}`, () => {
      const { least } = door
      const value = samples[name] ?? { made: "by the caller" }
      const options: Record<string, unknown> = name.startsWith("fetchOptions.")
        ? { ...least, fetchOptions: { [name.slice("fetchOptions.".length)]: value } }
        : { ...least, [name]: value }
      if (name === "azureADTokenProvider") delete options["apiKey"]
      if (name === "baseURL") delete options["endpoint"]
      if (row.fate === "refused") {
        const { expected, field, received } = refusal(door, options)
        return assert.deepEqual([field, received, expected], [name, "given", `nothing there: ${row.note}`])
      }
      if (row.fate === "unpooled") {
        assert.equal(bypass(door, options), `option ${name}: ${row.note}`)
        const beside = refusal(door, { ...options, quota: { requestsPerMinute: 3 } })
        return assert.deepEqual([beside.field, beside.received], ["quota", `given beside ${name}`])
      }
      const bare = read(door, least)
      const other = read(door, options)
      assert.equal(isSame(other, bare), row.fate === "nothing")
      if (row.fate === "pool") assert.notEqual(other.config, bare.config)
      if (row.fate === "sdk" && name !== "azureADTokenProvider") assert.equal(other.config, bare.config)
      assert.ok(isSame(read(door, { ...options }), other), "read twice")
      assert.notEqual(door.rawKey(options), door.rawKey(least))
    })

    const { env } = row
    if (env === undefined) continue
    it(`of ${provider} keeps its word for ${env}, which ${row.merged === true ? "goes under" : "stands in for"} ${name}`, () => {
      const value = row.merged === true ? "X-Film: alien" : String(samples[name])
      const least: Record<string, unknown> = { ...door.least, [name]: undefined }
      if (name === "baseURL") delete least["endpoint"]
      const sayIt = { ...least, [name]: row.merged === true ? { "x-film": "alien" } : samples[name] }
      const said = read(door, sayIt)
      const key = door.rawKey(least)
      process.env[env] = value
      assert.ok(isSame(read(door, least), said))
      assert.notEqual(door.rawKey(least), key)
      if (row.merged === true) {
        const both = read(door, { ...least, [name]: { "x-team": "films" } })
        return assert.deepEqual({ ...both.config.headers }, { "x-film": "alien", "x-team": "films" })
      }
      process.env[env] = "https://elsewhere.test"
      assert.ok(isSame(read(door, sayIt), said), "options win")
      assert.equal(door.rawKey(sayIt), door.rawKey({ ...sayIt }))
    })
  }

  it("has each variable that the SDKs read", () => {
    const { resolve } = createRequire(import.meta.url)
    const variables = (path: string): ReadonlyArray<string> =>
      [...readFileSync(resolve(path), "utf8").matchAll(/(?:readEnv\)?\(|process\.env\[)'(\w+)'/g)].map(
        (match) => match[1]!
      )
    const missing = (table: Table, ...paths: ReadonlyArray<string>) => {
      const read = [...new Set(paths.flatMap(variables))]
      assert.ok(read.length >= 2, paths.join())
      return read.filter((name) => !known(table).has(name))
    }
    assert.deepEqual(missing(openai.table, "openai", "openai/client"), [])
    assert.deepEqual(missing(openai.table, "openai6/client"), [])
    // The key of OpenAI is not read by what extends it.
    assert.deepEqual(missing(azure.table, "openai/azure", "openai/client"), ["OPENAI_API_KEY"])
    assert.deepEqual(missing(azure.table, "openai6/azure"), [])
    assert.deepEqual(missing(groq.table, "groq-sdk/client"), [])
    assert.deepEqual(missing(cerebras.table, "@cerebras/cerebras_cloud_sdk/index"), [])
  })

  it("has each option that the SDKs' types have", () => {
    type Azure6 = NonNullable<ConstructorParameters<typeof AzureOpenAI6>[0]>
    expectTypeOf<Exclude<keyof ClientOptions, keyof typeof openai.table>>().toEqualTypeOf<never>()
    expectTypeOf<Exclude<keyof ClientOptions6, keyof typeof openai.table>>().toEqualTypeOf<never>()
    expectTypeOf<Exclude<keyof AzureClientOptions, keyof typeof azure.table>>().toEqualTypeOf<never>()
    expectTypeOf<Exclude<keyof Azure6, keyof typeof azure.table>>().toEqualTypeOf<never>()
    expectTypeOf<Exclude<keyof GroqClientOptions, keyof typeof groq.table>>().toEqualTypeOf<never>()
    expectTypeOf<Exclude<keyof CerebrasClientOptions, keyof typeof cerebras.table>>().toEqualTypeOf<never>()
  })

  it("is what docs/options.md says", () => {
    assert.equal(
      readFileSync(new URL("../../docs/options.md", import.meta.url), "utf8"),
      render(),
      "run `node scripts/optionsTable.ts`"
    )
  })
})

describe("types", () => {
  it("take whatever the SDKs' own constructors take", () => {
    expectTypeOf<ClientOptions>().toExtend<openai.OpenAIOptions>()
    expectTypeOf<AzureClientOptions>().toExtend<azure.AzureOpenAIOptions>()
    expectTypeOf<GroqClientOptions>().toExtend<groq.GroqOptions>()
    expectTypeOf<CerebrasClientOptions>().toExtend<cerebras.CerebrasOptions>()
  })

  it("take ours beside them, and wrapped keys", () => {
    const transport = { proxy: "http://proxy.test:3128", key: "pem" }
    const ours = {
      apiKey: Redacted.make("sk"),
      quota: { requestsPerMinute: 3 },
      transport,
      queueTimeout: "1 minute"
    } as const
    expectTypeOf(ours).toExtend<openai.OpenAIOptions>()
    expectTypeOf(ours).toExtend<azure.AzureOpenAIOptions>()
    expectTypeOf(ours).toExtend<groq.GroqOptions>()
    expectTypeOf(ours).toExtend<cerebras.CerebrasOptions>()
  })

  it("refuse what is refused", () => {
    expectTypeOf<{ httpAgent: object }>().not.toExtend<openai.OpenAIOptions>()
    expectTypeOf<{ httpAgent: object }>().not.toExtend<azure.AzureOpenAIOptions>()
    expectTypeOf<{ httpAgent: object }>().not.toExtend<groq.GroqOptions>()
    expectTypeOf<{ provider: object }>().not.toExtend<azure.AzureOpenAIOptions>()
    expectTypeOf<{ dataResidency: "eu" }>().not.toExtend<azure.AzureOpenAIOptions>()
    expectTypeOf<{ apiKey: () => Promise<string> }>().not.toExtend<azure.AzureOpenAIOptions>()
    expectTypeOf<{ apiKey: number }>().not.toExtend<openai.OpenAIOptions>()
    expectTypeOf<"headers">().not.toExtend<keyof openai.OpenAIOptions>()
  })
})

describe("an option that can't be used", () => {
  const secret = "sk-live-0123456789abcdefghijklmnopqrstuvwxyz0123"

  it("is named with the nearest that can, and in the SDK's own words", () => {
    const said = (door: Door & { readonly least: Options }, options: Options) => {
      const { expected, field, received } = refusal(door, { ...door.least, ...options })
      return [field, received, expected.replace(/^one of .*; /, "")]
    }
    const { azure, cerebras, groq, openai } = doors as Record<string, (typeof doors)[string]> & typeof doors
    assert.deepEqual(said(openai!, { baseUrl: "x" }), ["baseUrl", "unknown", "did you mean baseURL?"])
    assert.deepEqual(said(cerebras!, { warmTcpConnections: 1 }), [
      "warmTcpConnections",
      "unknown",
      "did you mean warmTCPConnection?"
    ])
    assert.deepEqual(said(groq!, { headers: {} }), ["headers", "unknown", "the SDK's own name, defaultHeaders"])
    assert.deepEqual(said(azure!, { query: {} }), ["query", "unknown", "the SDK's own name, defaultQuery"])
    assert.deepEqual(said(openai!, { fetchOptions: { redirects: "error" } }), [
      "fetchOptions.redirects",
      "unknown",
      "did you mean redirect?"
    ])
    assert.deepEqual(said(openai!, { fetchOptions: { redirect: "sometimes" } }), [
      "fetchOptions.redirect",
      "a string of 9 characters",
      '"follow", "manual" or "error"'
    ])
    assert.deepEqual(said(openai!, { defaultHeaders: { "X-Team": 3 } }), ["defaultHeaders.x-team", "3", "a string"])
    assert.deepEqual(said(openai!, { defaultQuery: { team: 3 } }), ["defaultQuery.team", "3", "a string"])
    assert.deepEqual(said(groq!, { logLevel: 3 }), ["logLevel", "3", "a string"])
    assert.equal(refusal(openai!, {}).expected, "the option apiKey, or the environment variable OPENAI_API_KEY")
    assert.equal(refusal(groq!, { apiKey: " " }).expected, "the provider's key, as a string")
    assert.match(refusal(openai!, { ...openai!.least, baseURL: "https://a.test?b=c" }).message, /option defaultQuery/)
    assert.equal(refusal(openai!, Effect.runSync(OpenAiClient.config({ apiKey: Redacted.make("x") }))).field, "options")
    assert.equal(refusal(openai!, secret).received, `a string of ${secret.length} characters`)
  })

  it("that is nothing to the SDK is no matter: names without a value are passed over", () => {
    assert.ok(
      isSame(read(openai, { apiKey: "x", httpAgent: undefined, other: undefined }), read(openai, { apiKey: "x" }))
    )
  })

  it("never has its text in the error", () => {
    const garbage = [
      `${secret}\n`.repeat(2),
      `${secret}\u4000`,
      [secret],
      { [secret]: secret },
      { value: `${secret}\0` },
      {
        get value() {
          throw new Error(secret)
        }
      },
      Redacted.make(`${secret}\0`)
    ]
    let refused = 0
    for (const { least, ...door } of Object.values(doors)) {
      for (const name of [...Object.keys(door.table), "unheardOf", secret]) {
        for (const value of garbage) {
          try {
            door.read({ ...least, [name]: value })
          } catch (error) {
            refused++
            assert.ok(error instanceof OptionsError, inspect(error))
            const all = `${error.message} ${inspect(error, { depth: 9 })} ${JSON.stringify(error)} ${error.stack}`
            assert.ok(!all.includes("0123456789"), `${name}: ${all}`)
          }
        }
      }
    }
    assert.ok(refused > 200, String(refused))
  })
})

it("what was read shows no secret when it is printed", () => {
  const all = read(openai, {
    apiKey: "sk-key",
    adminAPIKey: "sk-admin",
    webhookSecret: "whsec",
    defaultHeaders: { a: "quiet" }
  })
  for (const text of [inspect(all, { depth: 9 }), JSON.stringify(all), `${inspect(all.sdk)}`]) {
    assert.doesNotMatch(text, /sk-|whsec|quiet/)
  }
  assert.equal({ ...all.sdk }["adminAPIKey"], "sk-admin")
})

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

  it("is not there for what can't be told by its text", () => {
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

  it("tells loggers and key functions apart by which object they are", () => {
    const { rawKey } = openai
    const f = token
    assert.equal(rawKey({ apiKey: f }), rawKey({ apiKey: f }))
    assert.notEqual(rawKey({ apiKey: f }), rawKey({ apiKey: async () => "sk" }))
    const log = { ...console }
    assert.equal(rawKey({ logger: log }), rawKey({ logger: log }))
    assert.notEqual(rawKey({ logger: log }), rawKey({ logger: { ...console } }))
  })
})

/** One request of an SDK's client, as its fetch is given it. */
const sent = async (make: (fetch: typeof globalThis.fetch) => Asking): Promise<unknown> => {
  let seen: unknown
  const client = make(async (input, init) => {
    const headers = Object.fromEntries(new Headers(init?.headers))
    const { "x-stainless-timeout": _, ...rest } = headers
    seen = { url: String(input), headers: rest, redirect: init?.redirect }
    return Response.json({ data: [] })
  })
  await client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "hello" }] })
  return seen
}

interface Asking {
  readonly chat: { readonly completions: { create(body: object): PromiseLike<unknown> } }
}

type Make = (options: Options) => Asking

const construct = (Sdk: unknown): Make => {
  const Constructor = Sdk as new (options: Options) => Asking
  return (options) => new Constructor(options)
}

describe("a client made of what was read sends what one made of the options sends", () => {
  const gateway = "https://gateway.test/v1"
  const common: ReadonlyArray<Options> = [
    {},
    { defaultHeaders: { Authorization: null, "X-Team": "films" } },
    { defaultHeaders: { "user-agent": null, ACCEPT: "text/plain" } },
    { defaultQuery: { team: "films", none: undefined } },
    { baseURL: gateway, timeout: 2_000 }
  ]
  const modern: ReadonlyArray<Options> = [
    ...common,
    {
      defaultHeaders: [
        ["X-Team", "films"],
        ["Authorization", null]
      ]
    },
    { defaultHeaders: new Headers({ "X-Team": "films" }) },
    { defaultHeaders: { "X-Team": ["films", "series"] } },
    { defaultHeaders: { "X-Env": null } },
    { fetchOptions: { redirect: "error", cache: "no-store" } }
  ]
  const places = [{ endpoint: "https://films.azure.test/" }, { baseURL: gateway, deployment: "small" }]
  const cases: ReadonlyArray<readonly [string, Door & { readonly least: Options }, Make, ReadonlyArray<Options>]> = [
    ["openai 7", doors["openai"]!, construct(OpenAI), [...modern, { organization: "org", project: "films" }]],
    ["openai 6", doors["openai"]!, construct(OpenAI6), [...modern, { organization: "org", project: "films" }]],
    ["openai 7 with a key function", doors["openai"]!, construct(OpenAI), [{ apiKey: async () => "sk-made" }]],
    ["openai 6 with a key function", doors["openai"]!, construct(OpenAI6), [{ apiKey: async () => "sk-made" }]],
    ["azure of openai 7", doors["azure"]!, construct(AzureOpenAI), places],
    ["azure of openai 6", doors["azure"]!, construct(AzureOpenAI6), places],
    ["groq", doors["groq"]!, construct(Groq), modern],
    [
      "cerebras",
      doors["cerebras"]!,
      construct(Cerebras),
      [...common, { defaultHeaders: { Authorization: undefined } }, { defaultHeaders: { "X-Env": null } }]
    ]
  ]
  for (const [name, door, make, variants] of cases) {
    it(name, async () => {
      setEnv({
        OPENAI_CUSTOM_HEADERS: "X-Env: 1",
        CEREBRAS_CUSTOM_HEADERS: "X-Env: 1"
      })
      for (const variant of variants) {
        const options: Record<string, unknown> = { ...door.least, ...variant }
        if (variant["baseURL"] !== undefined) delete options["endpoint"]
        // Beside the variable, groq-sdk spreads a list of headers as if it were a record, and loses it.
        if (name === "groq" && Symbol.iterator in Object(variant["defaultHeaders"]))
          delete process.env["GROQ_CUSTOM_HEADERS"]
        else setEnv({ GROQ_CUSTOM_HEADERS: "X-Env: 1" })
        const theirs = await sent((fetch) => make({ ...options, warmTCPConnection: false, fetch }))
        const { config, sdk } = read(door, options)
        const ours = await sent((fetch) =>
          make({
            apiKey: Redacted.isRedacted(config.credential) ? Redacted.value(config.credential) : undefined,
            baseURL: config.baseURL,
            ...sdk,
            defaultHeaders: { ...config.headers, ...(sdk["defaultHeaders"] as object | undefined) },
            defaultQuery: { ...config.query },
            fetch
          })
        )
        assert.deepEqual(ours, theirs, inspect(variant))
      }
    })
  }
})
