import type { ClientOptions as CerebrasClientOptions } from "@cerebras/cerebras_cloud_sdk"
import * as Redacted from "effect/Redacted"
import type { ClientOptions as GroqClientOptions } from "groq-sdk"
import * as assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import type { AzureClientOptions, ClientOptions } from "openai"
import type { AzureOpenAI as AzureOpenAI6, ClientOptions as ClientOptions6 } from "openai6"
import { describe, expectTypeOf, it } from "vitest"
import { render } from "../../../scripts/optionsTable.ts"
import * as azure from "../../../src/internal/promise/options/azure.ts"
import * as cerebras from "../../../src/internal/promise/options/cerebras.ts"
import * as groq from "../../../src/internal/promise/options/groq.ts"
import * as openai from "../../../src/internal/promise/options/openai.ts"
import type { Row, Table } from "../../../src/internal/promise/options/table.ts"
import { bypass, doors, isolateEnvironment, isSame, read, refusal } from "./readings.ts"

isolateEnvironment()

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
  retryAmbiguous: "never",
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
    it(`of ${provider} is true of ${name}: ${row.fate}`, () => {
      const { least } = door
      const value = samples[name] ?? { made: "by the caller" }
      const options: Record<string, unknown> = name.startsWith("fetchOptions.")
        ? { ...least, fetchOptions: { [name.slice("fetchOptions.".length)]: value } }
        : { ...least, [name]: value }
      if (name === "azureADTokenProvider") delete options["apiKey"]
      if (name === "baseURL") delete options["endpoint"]
      if (row.fate === "refused") {
        const { expected, field, received } = refusal(door, options)
        return assert.deepEqual([field, received, expected], [name, "given", `no value: ${row.note}`])
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
    it(`of ${provider} is true of ${env}, which ${row.merged === true ? "goes under" : "stands in for"} ${name}`, () => {
      const value = row.merged === true ? "X-Film: alien" : String(samples[name])
      const least: Record<string, unknown> = { ...door.least, [name]: undefined }
      if (name === "baseURL") delete least["endpoint"]
      const sayIt = { ...least, [name]: row.merged === true ? { "x-film": "alien" } : samples[name] }
      const said = read(door, sayIt)
      const [key, itsKey] = [door.rawKey(least), door.rawKey(sayIt)]
      process.env[env] = value
      assert.ok(isSame(read(door, least), said))
      assert.notEqual(door.rawKey(least), key)
      if (row.merged === true) {
        assert.notEqual(door.rawKey(sayIt), itsKey)
        const both = read(door, { ...least, [name]: { "x-team": "films" } })
        return assert.deepEqual({ ...both.config.headers }, { "x-film": "alien", "x-team": "films" })
      }
      process.env[env] = "https://elsewhere.test"
      assert.ok(isSame(read(door, sayIt), said), "options win")
      assert.equal(door.rawKey(sayIt), itsKey, "and the variable is not asked")
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

  it("equals docs/options.md", () => {
    assert.equal(
      readFileSync(new URL("../../../docs/options.md", import.meta.url), "utf8"),
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
