/** The direct door for code without Effect. */
import type { Groq } from "groq-sdk"
import type { OpenAI } from "openai"
import { assert, describe, expectTypeOf, it } from "vitest"
import * as Credential from "../../src/Credential.ts"
import { OptionsError, PoolError, RequestError } from "../../src/ClientError.ts"
import {
  type ApiOptions,
  type Clients,
  getAzureOpenAIApi,
  getCerebrasApi,
  getGroqApi,
  getOpenAIApi,
  makeClients,
  type OpenAIApi
} from "../../src/Promise.ts"
import { getOpenAIClient } from "../../src/promise/openai.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { start } from "./recorder.ts"

const question = (content = "hello") => ({ model: "test-model", messages: [{ role: "user" as const, content }] })

const getters = [
  { name: "openai", get: getOpenAIApi },
  { name: "azure", get: getAzureOpenAIApi },
  { name: "groq", get: getGroqApi },
  { name: "cerebras", get: getCerebrasApi }
] as const

type Name = (typeof getters)[number]["name"]

const place = (name: Name, sandbox: Sandbox.Sandbox): ApiOptions =>
  name === "azure"
    ? { apiKey: "sk-1", endpoint: sandbox.baseURL(name), apiVersion: "2024-10-21" }
    : { apiKey: "sk-1", baseURL: sandbox.baseURL(name) }

const within = async (
  options: Sandbox.Options,
  run: (sandbox: Sandbox.Sandbox, clients: Clients) => Promise<void>
): Promise<void> => {
  await using sandbox = await Sandbox.start(options)
  await using clients = makeClients()
  await run(sandbox, clients)
}

const failure = (promise: Promise<unknown>): Promise<RequestError | PoolError | OptionsError> =>
  promise.then(
    () => assert.fail("it succeeded"),
    (error: RequestError) => error
  )

describe.each(getters)("the API of $name without Effect", ({ get, name }) => {
  const of = (sandbox: Sandbox.Sandbox, clients: Clients, more: ApiOptions = {}) =>
    get({ ...place(name, sandbox), ...more }, clients) as OpenAIApi

  it("gives an answer whole and as it comes, and leaves nothing behind", () =>
    within({}, async (sandbox, clients) => {
      const { chat, chatStream, request } = of(sandbox, clients)
      const { choices } = await chat(question())
      let text = ""
      for await (const piece of chatStream(question())) text += piece.choices[0]?.delta.content ?? ""
      assert.strictEqual(text, choices[0]!.message.content)
      const path = name === "groq" ? "/openai/v1/models" : name === "cerebras" ? "/v1/models" : "/models"
      assert.property(await request({ method: "GET", path }), "data")
      const { clients: all, sockets } = await clients.stats()
      assert.strictEqual(all.length, 1)
      assert.strictEqual(sockets, 1)
    }))

  it("is the same object for the same options, and another for others", () =>
    within({}, async (sandbox, clients) => {
      const api = of(sandbox, clients)
      assert.strictEqual(of(sandbox, clients), api)
      assert.strictEqual(of(sandbox, clients, { maxRetries: 2 }), api)
      assert.notStrictEqual(of(sandbox, clients, { maxRetries: 1 }), api)
      assert.notStrictEqual(of(sandbox, clients, { defaultHeaders: { "user-agent": null } }), api)
    }))

  it("rejects with our errors: of an answer, of no answer, of a set that has been closed", () =>
    within({ apiKeys: ["sk-2"] }, async (sandbox, clients) => {
      const api = of(sandbox, clients, { maxRetries: 0 })
      const refused = await failure(api.chat(question()))
      assert.instanceOf(refused, RequestError)
      assert.deepInclude({ ...refused }, { reason: "Authentication", status: 401, attempts: 1, provider: name })
      const bad = await failure(api.chat({ ...question(), model: "" }))
      assert.deepInclude({ ...bad }, { reason: "BadRequest", processed: "no" })
      await clients.close()
      const late = await failure(api.chat(question()))
      assert.instanceOf(late, PoolError)
      assert.strictEqual(late.reason, "Closed")
      const values = api.chatStream(question())[Symbol.asyncIterator]()
      assert.instanceOf(await failure(values.next()), PoolError)
    }))

  it("rejects with Aborted, and ends its request, when its signal aborts", () =>
    within({ latency: 5_000 }, async (sandbox, clients) => {
      const controller = new AbortController()
      const answer = failure(of(sandbox, clients).chat(question(), { signal: controller.signal }))
      while (sandbox.stats().inFlight === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      controller.abort("enough")
      assert.deepInclude({ ...(await answer) }, { _tag: "RequestError", reason: "Aborted" })
      assert.strictEqual(((await answer) as RequestError).cause, "enough")
      while (sandbox.stats().aborts === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      const early = await failure(of(sandbox, clients).chat(question(), { signal: AbortSignal.abort() }))
      assert.deepInclude({ ...early }, { _tag: "RequestError", reason: "Aborted" })
    }))

  it("refuses options that can't be used, and a key that is a function", () =>
    within({}, async (sandbox, clients) => {
      assert.throws(() => of(sandbox, clients, { timeout: -1 }), OptionsError, /timeout/)
      assert.throws(() => of(sandbox, clients, { apiKey: (() => "sk") as never }), OptionsError)
    }))
})

describe("the API of OpenAI without Effect", () => {
  const of = (sandbox: Sandbox.Sandbox, clients: Clients, more: ApiOptions = {}) =>
    getOpenAIApi({ ...place("openai", sandbox), ...more }, clients)

  it("shares client, budget and connections with the SDK's client", () =>
    within({ latency: 50 }, async (sandbox, clients) => {
      const options = { ...place("openai", sandbox), quota: { maxConcurrency: 1 } } as const
      const openai = getOpenAIClient({ ...options, apiKey: "sk-1" }, clients)
      const api = getOpenAIApi(options, clients)
      await Promise.all([api.chat(question()), openai.chat.completions.create(question()), api.chat(question())])
      const { clients: all, quotas } = await clients.stats()
      assert.deepStrictEqual([all.length, quotas.length], [1, 1])
      assert.strictEqual(sandbox.stats().peakInFlight, 1)
      await clients.invalidate(api)
      await api.chat(question())
      assert.strictEqual((await clients.stats()).built, 2)
    }))

  it("leaves out the headers that its options take away, but for a call that sends them", async () => {
    const server = await start()
    const clients = makeClients()
    try {
      const api = getOpenAIApi(
        {
          apiKey: "sk-1",
          baseURL: server.origin,
          defaultHeaders: { "X-Team": "a", accept: null, "user-agent": null }
        },
        clients
      )
      await api.request({ method: "GET", path: "/x" })
      await api.request({ method: "GET", path: "/x", headers: { "user-agent": "mine", "x-team": null } })
      const [first, second] = server.sent.map(({ headers }) => headers)
      assert.deepInclude(first, { "x-team": "a", accept: "*/*" })
      assert.notProperty(first, "user-agent")
      assert.strictEqual(second!["user-agent"], "mine")
      assert.notProperty(second, "x-team")
    } finally {
      await clients.close()
      await server.close()
    }
  })

  it("tells in failures of a stream how often its request was sent", async () => {
    const again = { type: "status", status: 503, headers: { "retry-after": "0.01" } } as const
    const stream = (body: string) =>
      ({ type: "status", status: 200, headers: { "content-type": "text/event-stream" }, body }) as const
    await within({}, async (sandbox, clients) => {
      for (const text of ['data: {"error":{"message":"no more"}}\n\n', "data: {\n\n"]) {
        sandbox.faults.replace([{ times: 1, fault: again }, { fault: stream(text) }])
        const api = of(sandbox, clients, { transport: { circuitFailures: false } })
        const error = await failure(api.chatStream(question())[Symbol.asyncIterator]().next())
        assert.deepInclude({ ...error }, { processed: "yes", attempts: 2 })
      }
    })
  })

  it("takes a Credential, and gives embeddings as numbers", () =>
    within({}, async (sandbox, clients) => {
      const apiKey = Credential.make({ id: "vault", load: Effect.succeed(Redacted.make("sk-vault")) })
      const api = getOpenAIApi({ ...place("openai", sandbox), apiKey }, clients)
      const { data } = await api.embeddings({ model: "m", input: ["a", "b"] })
      assert.lengthOf(data, 2)
      assert.isTrue(data.every(({ embedding }) => embedding.every(Number.isFinite)))
      assert.deepStrictEqual([...sandbox.stats().requestsByKey.keys()], ["sk-vault"])
    }))

  it("is typed by the SDKs", () => {
    type Api = ReturnType<typeof getOpenAIApi>
    expectTypeOf<Parameters<Api["chat"]>[0]>().toEqualTypeOf<OpenAI.Chat.ChatCompletionCreateParamsNonStreaming>()
    expectTypeOf<Awaited<ReturnType<Api["chat"]>>>().toExtend<OpenAI.ChatCompletion>()
    expectTypeOf<ReturnType<Api["chatStream"]>>().toEqualTypeOf<AsyncIterable<OpenAI.ChatCompletionChunk>>()
    type Other = ReturnType<typeof getGroqApi>
    expectTypeOf<Awaited<ReturnType<Other["chat"]>>>().toEqualTypeOf<Groq.Chat.ChatCompletion>()
    expectTypeOf<Awaited<ReturnType<Api["chat"]>>>().not.toBeAny()
  })
})
