import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as assert from "node:assert/strict"
import { inspect } from "node:util"
import { OpenAI } from "openai"
import { describe } from "vitest"
import * as AzureOpenAiClient from "../../../src/AzureOpenAiClient.ts"
import * as CerebrasClient from "../../../src/CerebrasClient.ts"
import { OptionsError } from "../../../src/ClientError.ts"
import * as Credential from "../../../src/Credential.ts"
import * as GroqClient from "../../../src/GroqClient.ts"
import * as OpenAiClient from "../../../src/OpenAiClient.ts"
import * as azure from "../../../src/internal/promise/options/azure.ts"
import * as cerebras from "../../../src/internal/promise/options/cerebras.ts"
import * as groq from "../../../src/internal/promise/options/groq.ts"
import * as openai from "../../../src/internal/promise/options/openai.ts"
import { doors, isolateEnvironment, isSame, type Options, read, refusal, setEnv, type Subject } from "./readings.ts"

isolateEnvironment()

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

  it("comes from the environment for absent options", () => {
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
    assert.equal(refusal(openai, { apiKey: never }).received, "a Credential whose version effect is asynchronous")
    assert.equal(openai.rawKey({ apiKey: slow }), undefined)
  })

  it("passes other options to the SDK, and makes none explicit", () => {
    const none = { adminAPIKey: null, webhookSecret: null, organization: null, project: null }
    assert.deepEqual({ ...read(openai, { apiKey }).sdk }, none)
    const more = { apiKey, logger: console, dangerouslyAllowBrowser: true, fetchOptions: { redirect: "manual" } }
    assert.deepEqual(JSON.parse(JSON.stringify({ ...read(openai, more).sdk, logger: "its own" })), {
      ...none,
      logger: "its own",
      dangerouslyAllowBrowser: true,
      fetchOptions: { redirect: "manual" }
    })
    assert.ok(isSame(read(groq, { apiKey, fetchOptions: { redirect: "follow" } }), read(groq, { apiKey })))
    assert.deepEqual({ ...read(groq, { apiKey }).sdk }, {})
    assert.deepEqual({ ...read(cerebras, { apiKey, warmTCPConnection: true }).sdk }, { warmTCPConnection: false })
  })

  it("has no header that a null takes away, not even the environment's", () => {
    setEnv({ OPENAI_CUSTOM_HEADERS: "X-Team: films\nX-Film: alien" })
    const { config, sdk } = read(openai, { apiKey, defaultHeaders: { "x-team": null, "X-Year": "1979" } })
    assert.deepEqual({ ...config.headers }, { "x-film": "alien", "x-year": "1979" })
    assert.equal(JSON.stringify(sdk["defaultHeaders"]), '{"x-team":null}')
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
  it("is none, over the environment, where the SDK has it so", () => {
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

  it("is the same as absent elsewhere", () => {
    const options = { apiKey: "sk-test", timeout: null, maxRetries: null, fetch: null, logger: null, quota: null }
    assert.ok(isSame(read(openai, options), read(openai, { apiKey: "sk-test" })))
  })

  it("as openai's key leaves the admin's, or none", () => {
    const { config, sdk } = read(openai, { apiKey: null, adminAPIKey: "sk-admin" })
    assert.equal(config, read(openai, { apiKey: "sk-admin" }).config)
    assert.equal(sdk["apiKey"], null)
    assert.equal(sdk["adminAPIKey"], "sk-admin")
    assert.equal(refusal(openai, { apiKey: null }).received, "null")
    assert.equal(refusal(groq, { apiKey: null }).received, "null")
  })
})

const said = (door: Subject, options: Options) => {
  const { expected, field, received } = refusal(door, { ...door.least, ...options })
  return [field, received, expected.replace(/^one of .*; /, "")]
}

describe("an option that can't be used", () => {
  const secret = "sk-live-0123456789abcdefghijklmnopqrstuvwxyz0123"

  it("is named with the nearest that can, and in the SDK's own words", () => {
    const { azure, cerebras, groq, openai } = doors
    assert.deepEqual(said(openai, { baseUrl: "x" }), ["baseUrl", "unknown", "did you mean baseURL?"])
    assert.deepEqual(said(cerebras, { warmTcpConnections: 1 }), [
      "warmTcpConnections",
      "unknown",
      "did you mean warmTCPConnection?"
    ])
    assert.deepEqual(said(groq, { headers: {} }), ["headers", "unknown", "the SDK's own name, defaultHeaders"])
    assert.deepEqual(said(azure, { query: {} }), ["query", "unknown", "the SDK's own name, defaultQuery"])
    assert.deepEqual(said(openai, { fetchOptions: { redirects: "error" } }), [
      "fetchOptions.redirects",
      "unknown",
      "did you mean redirect?"
    ])
    assert.deepEqual(said(openai, { fetchOptions: { redirect: "sometimes" } }), [
      "fetchOptions.redirect",
      "a string of 9 characters",
      '"follow", "manual" or "error"'
    ])
    assert.deepEqual(said(openai, { defaultHeaders: { "X-Team": 3 } }), ["defaultHeaders.x-team", "3", "a string"])
    assert.deepEqual(said(openai, { defaultQuery: { team: 3 } }), ["defaultQuery.team", "3", "a string"])
    assert.deepEqual(said(groq, { logLevel: 3 }), ["logLevel", "3", "a string"])
    assert.equal(refusal(openai, {}).expected, "the option apiKey, or the environment variable OPENAI_API_KEY")
    assert.equal(refusal(groq, { apiKey: " " }).expected, "the provider's key, as a string")
    assert.match(refusal(openai, { ...openai.least, baseURL: "https://a.test?b=c" }).message, /option defaultQuery/)
    assert.equal(refusal(openai, Effect.runSync(OpenAiClient.config({ apiKey: Redacted.make("x") }))).field, "options")
    assert.equal(refusal(openai, secret).received, `a string of ${secret.length} characters`)
  })

  it("without a value is ignored, as by the SDK", () => {
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

it("of any kind shows no secret when it is printed", () => {
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
