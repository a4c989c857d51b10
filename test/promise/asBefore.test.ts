/** Reads and catches as code does that was written for an SDK's own constructor. */
import { Cerebras } from "@cerebras/cerebras_cloud_sdk"
import { Groq } from "groq-sdk"
import { AzureOpenAI, OpenAI } from "openai"
import { OpenAI as OpenAI6 } from "openai6"
import { afterEach, assert, describe, it, vi } from "vitest"
import { OptionsError } from "../../src/ClientError.ts"
import { type Clients, makeClients } from "../../src/Promise.ts"
import { getCerebrasClient } from "../../src/promise/cerebras.ts"
import { getGroqClient } from "../../src/promise/groq.ts"
import { getAzureOpenAIClient, getOpenAIClient } from "../../src/promise/openai.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { ask, type Client, getOpenAI6Client } from "./doors.ts"

interface Options {
  readonly apiKey?: string
  readonly maxRetries?: number
  readonly baseURL?: string
}

interface Door {
  readonly name: string
  readonly variable: string
  readonly get: (options: Options, clients?: Clients) => Client
  readonly bare: (options: Options) => Client
  readonly base: abstract new (...args: ReadonlyArray<never>) => Error
  /** Base URL of a client without `baseURL`. */
  readonly baseURL: (sandbox: Sandbox.Sandbox) => string
}

const azure = { apiVersion: "2024-10-21" }

const doors: ReadonlyArray<Door> = [
  {
    name: "openai",
    variable: "OPENAI",
    get: getOpenAIClient,
    bare: (options) => new OpenAI(options),
    base: OpenAI.OpenAIError,
    baseURL: (sandbox) => sandbox.baseURL("openai")
  },
  {
    name: "openai 6",
    variable: "OPENAI",
    get: getOpenAI6Client,
    bare: (options) => new OpenAI6(options),
    base: OpenAI6.OpenAIError,
    baseURL: (sandbox) => sandbox.baseURL("openai")
  },
  {
    name: "azure",
    variable: "AZURE_OPENAI",
    get: (options, clients) => getAzureOpenAIClient({ ...azure, ...options }, clients),
    bare: (options) => new AzureOpenAI({ ...azure, ...options }),
    base: AzureOpenAI.OpenAIError,
    baseURL: (sandbox) => `${sandbox.baseURL("azure")}/openai`
  },
  {
    name: "groq",
    variable: "GROQ",
    get: getGroqClient,
    bare: (options) => new Groq(options),
    base: Groq.GroqError,
    baseURL: (sandbox) => sandbox.baseURL("groq")
  },
  {
    name: "cerebras",
    variable: "CEREBRAS",
    get: getCerebrasClient,
    bare: (options) => new Cerebras({ ...options, warmTCPConnection: false }),
    base: Cerebras.CerebrasError,
    baseURL: (sandbox) => sandbox.baseURL("cerebras")
  }
]

const thrown = (f: () => unknown): unknown => {
  try {
    f()
  } catch (error) {
    return error
  }
  throw new Error("it did not throw")
}

afterEach(() => vi.unstubAllEnvs())

describe.each(doors)("a client of $name", ({ bare, base, baseURL, get, variable }) => {
  const nowhere = "http://127.0.0.1:9/v1"

  it("that lacks its key is an error of the SDK's own base class, and an OptionsError", () => {
    vi.stubEnv(`${variable}_API_KEY`, undefined)
    assert.isTrue(thrown(() => bare({ baseURL: nowhere })) instanceof base)
    const error = thrown(() => get({ baseURL: nowhere }))
    assert.isTrue(error instanceof base)
    assert.isTrue(error instanceof OptionsError)
    assert.deepInclude(error as object, { _tag: "OptionsError", field: "apiKey", name: "OptionsError" })
    assert.match(String(error), new RegExp(`^OptionsError: .*: option apiKey is .*${variable}_API_KEY`))
    assert.match((error as Error).stack ?? "", /^OptionsError: .*\n +at /)
  })

  it("with another option that can't be used is both as well", () => {
    const error = thrown(() => get({ apiKey: "k", baseURL: "no url" }))
    assert.isTrue(error instanceof base && error instanceof OptionsError && error.field === "baseURL")
  })

  it("has its base URL as given or as the environment has it, over the same connections", async () => {
    await using sandbox = await Sandbox.start()
    await using clients = makeClients()
    const plain = baseURL(sandbox)
    const spelled = `${plain.replace("http", "HTTP")}/`
    const client = get({ apiKey: "k", baseURL: spelled }, clients)
    assert.deepStrictEqual([client.baseURL, bare({ apiKey: "k", baseURL: spelled }).baseURL], [spelled, spelled])
    assert.strictEqual(get({ apiKey: "k", baseURL: spelled }, clients), client)
    assert.strictEqual(get({ apiKey: "k", baseURL: plain }, clients).baseURL, plain)
    vi.stubEnv(variable === "AZURE_OPENAI" ? "OPENAI_BASE_URL" : `${variable}_BASE_URL`, spelled)
    assert.strictEqual(get({ apiKey: "k" }, clients), client)
    const ofEnvironment = get({ apiKey: "k", maxRetries: 1 }, clients)
    vi.unstubAllEnvs()
    for (const one of [client, ofEnvironment]) {
      assert.strictEqual(one.withOptions?.({ timeout: 1_000 }).baseURL ?? spelled, spelled)
    }
    await ask(client)
    await ask(get({ apiKey: "k", baseURL: plain }, clients))
    const { clients: pooled } = await clients.stats()
    assert.deepStrictEqual([pooled.length, sandbox.stats().connections.total], [1, 1])
  })
})

describe("instanceof OptionsError", () => {
  class Narrower extends OptionsError {}

  it("holds of errors that were made by it, and for no subclass of what a getter threw", () => {
    const made = new OptionsError({ provider: "p", field: "f", received: "r", expected: "e" })
    const got = thrown(() => getGroqClient({ apiKey: "k", baseURL: "no url" }))
    assert.deepStrictEqual(
      [made, got, new Error("no"), undefined, "text"].map((u) => (u as unknown) instanceof OptionsError),
      [true, true, false, false, false]
    )
    assert.isFalse(got instanceof Narrower)
  })
})
