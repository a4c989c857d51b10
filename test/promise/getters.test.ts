import { inspect } from "node:util"
import type { AzureOpenAI, OpenAI } from "openai"
import { afterAll, afterEach, assert, describe, expectTypeOf, it, vi } from "vitest"
import { OptionsError } from "../../src/ClientError.ts"
import { closeAll, makeClients } from "../../src/Promise.ts"
import { getAzureOpenAIClient, getOpenAIClient } from "../../src/promise/openai.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { ask, getOpenAI6Client, hello, json, rejection, serve, subjects } from "./doors.ts"

const nowhere = "http://127.0.0.1:9"

afterAll(closeAll)

afterEach(() => vi.unstubAllEnvs())

describe.each(subjects)("a client of $name", ({ bare, get, sdk }) => {
  it("is the SDK's own, and the same for the same options", () => {
    const client = get(nowhere)
    assert.isTrue(client instanceof sdk)
    assert.strictEqual(client.constructor, sdk)
    assert.strictEqual(get(nowhere), client)
    assert.notStrictEqual(get(nowhere, { apiKey: "sk-another" }), client)
    assert.notStrictEqual(get(nowhere, { timeout: 1_000 }), client)
  })

  it("reads as its user set it, and as the SDK by itself", () => {
    const read = ({ apiKey, baseURL, maxRetries, timeout }: ReturnType<typeof get>) => ({
      apiKey,
      baseURL,
      maxRetries,
      timeout
    })
    assert.deepStrictEqual(read(get(nowhere)), read(bare(nowhere)))
    const set = { timeout: 1_234, maxRetries: 7, apiKey: "sk-its-own" }
    assert.deepStrictEqual(read(get(nowhere, set)), { ...set, baseURL: bare(nowhere).baseURL })
    assert.deepStrictEqual(Object.keys(get(nowhere)).sort(), Object.keys(bare(nowhere)).filter(isShown).sort())
  })

  it("shows no secret when it is printed", () => {
    const client = get(nowhere, { apiKey: "sk-secret", defaultHeaders: { "x-secret": "sk-secret" } })
    assert.strictEqual(client.apiKey, "sk-secret")
    for (const printed of [
      inspect(client, { depth: 10 }),
      inspect(client, { depth: 10, showHidden: true, customInspect: false }),
      inspect(client.chat, { depth: 10 }),
      inspect(Object.entries(client), { depth: 10 }),
      JSON.stringify(client),
      JSON.stringify(client.chat),
      JSON.stringify({ ...client })
    ]) {
      assert.notInclude(printed, "sk-secret")
      assert.include(printed, nowhere)
    }
  })

  it("can't be changed by one of its users", () => {
    const client = get(nowhere)
    const before = client.timeout
    assert.throws(() => {
      client.timeout = 1
    }, "client.timeout can't be set: the client is shared by all who asked for it with the same options")
    assert.throws(() => {
      client.apiKey = "mine"
    }, "client.apiKey can't be set")
    assert.throws(() => Object.assign(client, { baseURL: "http://elsewhere" }), "client.baseURL can't be set")
    assert.strictEqual(client.timeout, before)
  })
})

const isShown = (name: string) => !["_options", "apiKey", "adminAPIKey", "webhookSecret"].includes(name)

describe("withOptions", () => {
  it("gives a client with these options over the same connections", async () => {
    await using sandbox = await Sandbox.start()
    await using own = makeClients()
    const options = { apiKey: "sk-test", baseURL: sandbox.baseURL("openai"), organization: "org" }
    const client = getOpenAIClient(options, own)
    const patient = client.withOptions({ timeout: 1_234 })
    assert.strictEqual(patient.timeout, 1_234)
    assert.strictEqual(patient.organization, "org")
    assert.strictEqual(patient.apiKey, "sk-test")
    assert.strictEqual(getOpenAIClient({ ...options, timeout: 1_234 }, own), patient)
    assert.strictEqual(patient.withOptions({ timeout: 600_000 }), client)
    assert.strictEqual(client.withOptions({}), client)
    await ask(client)
    await ask(patient)
    assert.strictEqual(sandbox.stats().connections.total, 1)
  })

  it("keeps the environment of the time when the first was made", () => {
    vi.stubEnv("OPENAI_API_KEY", "sk-of-then")
    vi.stubEnv("OPENAI_BASE_URL", `${nowhere}/then`)
    vi.stubEnv("OPENAI_ORG_ID", "then")
    const client = getOpenAIClient()
    vi.stubEnv("OPENAI_API_KEY", "sk-of-now")
    vi.stubEnv("OPENAI_BASE_URL", `${nowhere}/now`)
    vi.stubEnv("OPENAI_ORG_ID", "now")
    const { apiKey, baseURL, organization } = client.withOptions({ maxRetries: 1 })
    assert.deepStrictEqual([apiKey, baseURL, organization], ["sk-of-then", `${nowhere}/then`, "then"])
  })

  it("of Azure goes to another endpoint if asked to", () => {
    const client = getAzureOpenAIClient({ apiKey: "key", endpoint: nowhere, apiVersion: "1", deployment: "d" })
    const other = client.withOptions({ endpoint: "http://127.0.0.1:10" })
    assert.strictEqual(other.baseURL, "http://127.0.0.1:10/openai")
    assert.strictEqual(other.apiVersion, "1")
    assert.strictEqual(client.withOptions({ baseURL: `${nowhere}/x` }).baseURL, `${nowhere}/x`)
  })
})

describe("options that replace the sending of requests", () => {
  it("make a client of its own, with nothing of ours", async () => {
    const sent: Array<unknown> = []
    const fetch = (url: unknown) => {
      sent.push(String(url))
      return Promise.resolve(Response.json({ object: "list", data: [] }))
    }
    const options = { apiKey: "sk-test", baseURL: `${nowhere}/v1`, fetch }
    const client = getOpenAIClient(options)
    assert.notStrictEqual(getOpenAIClient(options), client)
    await client.models.list()
    assert.deepStrictEqual(sent, [`${nowhere}/v1/models`])
  })
})

describe("options that can't be used", () => {
  it("are refused, and nothing is kept", () => {
    for (let i = 0; i < 2; i++) {
      assert.throws(() => getOpenAIClient({ apiKey: "sk-test", baseURL: "no url" }), OptionsError, "baseURL")
    }
  })
})

describe.each([
  ["openai", getOpenAIClient],
  ["openai 6", getOpenAI6Client]
])("a function that gives %s the key", (_, get) => {
  it("gives each request its own, however many are under way", async () => {
    await using provider = await serve((request, response, body) => {
      const asked = JSON.parse(body) as { readonly model: string }
      json(response, 200, { model: asked.model, said: request.headers.authorization })
    })
    await using own = makeClients()
    let turn = 0
    const apiKey = async () => {
      const mine = ++turn
      for (let i = 0; i < mine % 7; i++) await Promise.resolve()
      return `key-${mine}`
    }
    const client = get({ apiKey, baseURL: `${provider.origin}/v1` }, own)
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(client)))
    const keys = answers.map((answer) => (answer as unknown as { readonly said: string }).said)
    assert.strictEqual(new Set(keys).size, 50)
    assert.strictEqual(turn, 50)
    assert.isTrue(keys.every((key) => /^Bearer key-\d+$/.test(key)))
  })

  it("fails in the SDK's words", async () => {
    const cause = new Error("no vault")
    const client = get({ apiKey: () => Promise.reject(cause), baseURL: nowhere })
    const error = await rejection(ask(client))
    assert.strictEqual(error.message, "Failed to get token from 'apiKey' function: no vault")
    assert.strictEqual(error.cause, cause)
    assert.instanceOf(error, (client.constructor as typeof OpenAI).OpenAIError)
  })
})

/** The keys with which it asks for models, and for what is an admin's. */
const said = async (client: OpenAI) => [
  await client.models.list().then((page) => (page as unknown as { body: { said: string } }).body.said),
  await client.admin.organization.projects
    .list()
    .then((page) => (page as unknown as { body: { said: string } }).body.said)
]

describe("an admin's key and a webhook's secret", () => {
  it("are read and used as with the SDK by itself, and never printed", async () => {
    await using provider = await serve((request, response) =>
      json(response, 200, { object: "list", data: [], said: request.headers.authorization })
    )
    await using own = makeClients()
    const options = { adminAPIKey: "sk-admin", webhookSecret: "whsec_c2VjcmV0", baseURL: `${provider.origin}/v1` }
    const both = getOpenAIClient({ ...options, apiKey: "sk-plain" }, own)
    const alone = getOpenAIClient({ ...options, apiKey: null }, own)
    assert.deepStrictEqual(
      [both.adminAPIKey, both.webhookSecret, both.apiKey],
      ["sk-admin", "whsec_c2VjcmV0", "sk-plain"]
    )
    assert.deepStrictEqual([alone.adminAPIKey, alone.apiKey], ["sk-admin", null])
    assert.deepStrictEqual(await said(both), ["Bearer sk-plain", "Bearer sk-admin"])
    await rejection(alone.models.list())
    const other = both.withOptions({ timeout: 1 })
    assert.deepStrictEqual([other.adminAPIKey, other.webhookSecret], ["sk-admin", "whsec_c2VjcmV0"])
    for (const client of [both, alone, other]) {
      const printed =
        inspect(client, { depth: 10, showHidden: true, customInspect: false }) + JSON.stringify({ ...client })
      assert.notMatch(printed, /sk-admin|sk-plain|c2VjcmV0/)
      assert.include(printed, provider.origin)
    }
  })
})

describe("a function that gives Azure a token", () => {
  it("gives each request its own, as a bearer", async () => {
    await using provider = await serve((request, response) =>
      json(response, 200, { said: [request.headers.authorization, request.headers["api-key"]] })
    )
    await using own = makeClients()
    let tokens = 0
    const azureADTokenProvider = () => Promise.resolve(`token-${++tokens}`)
    const options = { azureADTokenProvider, endpoint: provider.origin, apiVersion: "1" }
    // Which the SDK would refuse beside a function.
    vi.stubEnv("AZURE_OPENAI_API_KEY", "of the environment")
    const client = getAzureOpenAIClient(options, own)
    assert.strictEqual(getAzureOpenAIClient(options, own), client)
    assert.strictEqual(client.apiKey, null)
    assert.deepInclude(await ask(client), { said: ["Bearer token-1", null] })
    assert.deepInclude(await ask(client.withOptions({ maxRetries: 1 })), { said: ["Bearer token-2", null] })
  })
})

it("has the SDK's types", () => {
  expectTypeOf(getOpenAIClient).returns.toEqualTypeOf<OpenAI>()
  expectTypeOf(getAzureOpenAIClient).returns.toEqualTypeOf<AzureOpenAI>()
  expectTypeOf<{ apiKey: string; timeout: number }>().toMatchTypeOf<
    NonNullable<Parameters<typeof getOpenAIClient>[0]>
  >()
  assert.strictEqual(hello.model, "test-model")
})
