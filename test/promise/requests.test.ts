import { createHmac } from "node:crypto"
import * as http from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import * as Effect from "effect/Effect"
import { type OpenAI, toFile } from "openai"
import type { OpenAI as OpenAI6 } from "openai6"
import { OpenAIRealtimeWebSocket } from "openai/realtime/websocket"
import { OpenAIRealtimeWebSocket as OpenAIRealtimeWebSocket6 } from "openai6/realtime/websocket"
import { assert, describe, it, vi } from "vitest"
import { type Clients, makeClients } from "../../src/Promise.ts"
import { getGroqClient } from "../../src/promise/groq.ts"
import { getOpenAIClient } from "../../src/promise/openai.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { eventually } from "../support/wait.ts"
import { ask, getOpenAI6Client, hello, json, rejection, serve, subjects } from "./doors.ts"

const completion = { id: "1", object: "chat.completion", choices: [{ index: 0, message: { content: "hi" } }] }

/** Headers of the transport, rather than of the SDK. */
const ofTheTransport = new Set([
  "accept-encoding",
  "accept-language",
  "connection",
  "content-length",
  "host",
  // One of ours, where the SDKs send none.
  "idempotency-key",
  "sec-fetch-mode",
  "transfer-encoding"
])

const until = <A>(look: () => A | Promise<A>, isSo: (value: A) => boolean): Promise<A> =>
  Effect.runPromise(
    eventually(
      Effect.promise(async () => look()),
      isSo
    )
  )

const inFlight = async (clients: Clients) =>
  (await clients.stats()).clients.reduce((sum, client) => sum + client.inFlight, 0)

const kindOf = (answer: unknown) => (answer as { readonly object: string }).object

describe.concurrent.each(subjects)("a request of $name", ({ bare, get, name, sdk }) => {
  it("goes out as from the SDK by itself, with all options of a request", async () => {
    const seen: Array<unknown> = []
    await using provider = await serve((request, response, body) => {
      const headers = Object.entries(request.headers).filter(([name]) => !ofTheTransport.has(name))
      seen.push({
        method: request.method,
        url: request.url,
        headers: headers.sort(),
        body: JSON.parse(body) as unknown
      })
      json(response, 200, completion)
    })
    await using clients = makeClients()
    const options = { defaultHeaders: { "X-Default": "1", "X-Other": "2" }, defaultQuery: { of: "default" } }
    const ours = get(provider.origin, options, clients)
    const theirs = bare(provider.origin, options)
    for (const more of [
      {},
      { timeout: 50_000, maxRetries: 1, query: { of: "request", and: "more" }, idempotencyKey: "key" },
      { headers: { "x-mine": "mine", "X-Default": "mine", "x-other": null } },
      { headers: { Authorization: "Bearer mine", "api-key": "mine" } }
    ]) {
      seen.length = 0
      await ask(ours, more)
      await ask(theirs, more)
      assert.deepStrictEqual(seen[0], seen[1])
    }
    assert.deepInclude(Object.fromEntries((seen[0] as { readonly headers: Array<[string, string]> }).headers), {
      authorization: "Bearer mine",
      "x-stainless-retry-count": "0"
    })
  })

  it("is retried by its own maxRetries, and not once more by the SDK", async () => {
    await using provider = await serve((_, response) => json(response, 500, {}, { "retry-after-ms": "1" }))
    await using clients = makeClients()
    const client = get(provider.origin, {}, clients)
    const attempts = async (maxRetries?: number) => {
      const before = provider.requests()
      const error = await rejection(ask(client, maxRetries === undefined ? {} : { maxRetries }))
      assert.strictEqual(error["status"], 500)
      return provider.requests() - before
    }
    assert.strictEqual(await attempts(1), 2)
    assert.strictEqual(await attempts(0), 1)
    assert.strictEqual(await attempts(), 3)
  })

  it("is retried by the maxRetries of withOptions", async () => {
    await using provider = await serve((request) => request.socket.destroy())
    await using clients = makeClients()
    const client = get(provider.origin, { maxRetries: 0 }, clients)
    // Cerebras has none.
    const patient = client.withOptions?.({ maxRetries: 1 }) ?? get(provider.origin, { maxRetries: 1 }, clients)
    await rejection(ask(patient))
    const attempts = provider.requests()
    await rejection(ask(client))
    assert.deepStrictEqual([attempts, provider.requests() - attempts], [2, 1])
  })

  it("fails after its own timeout, whatever the client's", async () => {
    await using provider = await serve(() => undefined)
    await using clients = makeClients()
    const client = get(provider.origin, { timeout: 600_000 }, clients)
    const error = await rejection(ask(client, { timeout: 40, maxRetries: 1 }))
    assert.strictEqual(error.constructor, sdk.APIConnectionTimeoutError)
    assert.deepInclude(error.cause, { reason: "Timeout", attempts: 2 })
  })

  it("waits for its turn behind a thousand others, for longer than its own timeout, which runs from then on", async () => {
    await using provider = await serve(() => undefined)
    await using clients = makeClients({ drainTimeout: 0 })
    const client = get(provider.origin, { quota: { maxConcurrency: 1 } }, clients)
    const crowd = new AbortController()
    const others = Promise.allSettled(Array.from({ length: 1_000 }, () => ask(client, { signal: crowd.signal })))
    await until(provider.requests, (count) => count === 1)
    let isOver = false
    const late = rejection(ask(client, { timeout: 50, maxRetries: 0 })).finally(() => {
      isOver = true
    })
    await sleep(300)
    assert.isFalse(isOver)
    assert.strictEqual(provider.requests(), 1)
    crowd.abort()
    await others
    const error = await late
    assert.strictEqual(error.constructor, sdk.APIConnectionTimeoutError)
    assert.deepInclude(error.cause, { reason: "Timeout", processed: "maybe", attempts: 1 })
    assert.strictEqual(provider.requests(), 2)
  })

  it("may take longer than the client's timeout, by its own", async () => {
    let isAnswered = false
    await using provider = await serve((_, response) => {
      if (isAnswered) return
      isAnswered = true
      setTimeout(() => json(response, 200, completion), 1_000)
    })
    await using clients = makeClients()
    const client = get(provider.origin, { timeout: 20, maxRetries: 0 }, clients)
    assert.deepInclude(await ask(client, { timeout: 20_000 }), { id: "1" })
    await rejection(ask(client))
  })

  it("that is aborted frees its slot: losers of a race leave nothing", async () => {
    await using sandbox = await Sandbox.start({ latency: 30 })
    await using clients = makeClients()
    const client = get(sandbox.origin, { quota: { maxConcurrency: 3 } }, clients)
    for (let i = 0; i < 10; i++) {
      const losers = new AbortController()
      const race = Array.from({ length: 10 }, () => ask(client, { signal: losers.signal }))
      await Promise.race(race)
      losers.abort()
      for (const result of await Promise.allSettled(race)) {
        assert.isTrue(result.status === "fulfilled" || result.reason instanceof sdk.APIUserAbortError)
      }
    }
    await until(
      () => inFlight(clients),
      (count) => count === 0
    )
    assert.strictEqual((await clients.stats()).quotas[0]?.inFlight, 0)
    await ask(client)
  })

  it("is refused a way of its own to be sent", async () => {
    await using clients = makeClients()
    const client = get("http://127.0.0.1:9", {}, clients)
    const field = name === "cerebras" ? "httpAgent" : "fetchOptions.dispatcher"
    const way = name === "cerebras" ? { httpAgent: new http.Agent() } : { fetchOptions: { dispatcher: {} } }
    assert.deepInclude(await rejection(ask(client, way)), { _tag: "OptionsError", field })
  })

  it("gives its response as it is, or beside the answer", async () => {
    await using sandbox = await Sandbox.start()
    await using clients = makeClients()
    const client = get(sandbox.origin, {}, clients)
    const response = await client.chat.completions.create(hello).asResponse()
    assert.strictEqual(response.status, 200)
    assert.match(response.headers.get("x-request-id") ?? "", /^req/)
    const both = await client.chat.completions.create(hello).withResponse()
    assert.strictEqual(both.response.status, 200)
    assert.deepInclude(both.data, { object: "chat.completion" })
    // The SDKs' own helpers transform an answer with this.
    assert.strictEqual(await client.chat.completions.create(hello)._thenUnwrap(kindOf), "chat.completion")
  })

  it("streams, and a stream that is left early gives everything back", async () => {
    await using sandbox = await Sandbox.start()
    await using clients = makeClients()
    const client = get(sandbox.origin, {}, clients)
    let pieces = 0
    for await (const _ of await client.chat.completions.create({ ...hello, stream: true })) pieces++
    assert.isAbove(pieces, 3)
    for await (const _ of await client.chat.completions.create({ ...hello, stream: true })) break
    await until(
      () => inFlight(clients),
      (count) => count === 0
    )
  })
})

describe.each([
  ["openai", getOpenAIClient],
  ["openai 6", getOpenAI6Client as unknown as typeof getOpenAIClient]
])("%s", (name, get) => {
  const at = (origin: string, clients: Clients) => get({ apiKey: "sk-test", baseURL: `${origin}/v1` }, clients)

  it.concurrent("streams, parses and runs tools with its helpers", async () => {
    const arguments_ = JSON.stringify({ city: "Ghent" })
    const call = { id: "call", type: "function", function: { name: "weather", arguments: arguments_ } }
    await using provider = await serve((_, response, body) => {
      const asked = JSON.parse(body) as {
        readonly messages: Array<{ readonly role: string }>
        readonly tools?: unknown
      }
      const told = asked.messages.some(({ role }) => role === "tool")
      const message =
        asked.tools !== undefined && !told
          ? { role: "assistant", content: null, tool_calls: [call] }
          : { role: "assistant", content: `{"city":"Ghent"}` }
      json(response, 200, { ...completion, choices: [{ index: 0, finish_reason: "stop", message }] })
    })
    await using clients = makeClients()
    const client = at(provider.origin, clients)
    const schema = { type: "object", properties: { city: { type: "string" } } }
    const parsed = await client.chat.completions.parse({
      ...hello,
      response_format: { type: "json_schema", json_schema: { name: "place", schema } }
    })
    assert.strictEqual(parsed.choices[0]?.message.content, `{"city":"Ghent"}`)
    const cities: Array<unknown> = []
    const runner = client.chat.completions.runTools({
      ...hello,
      tools: [
        {
          type: "function",
          function: {
            name: "weather",
            description: "the weather of a city",
            parameters: schema,
            parse: JSON.parse,
            function: (place: unknown) => {
              cities.push(place)
              return "sunny"
            }
          }
        }
      ]
    })
    assert.strictEqual(await runner.finalContent(), `{"city":"Ghent"}`)
    assert.deepStrictEqual(cities, [{ city: "Ghent" }])

    await using sandbox = await Sandbox.start()
    const stream = at(sandbox.origin, clients).chat.completions.stream(hello)
    const content = await stream.finalContent()
    assert.isAbove(content?.length ?? 0, 10)
    await until(
      () => inFlight(clients),
      (count) => count === 0
    )
  })

  it.concurrent("retries as often as `request` sets, and no more than its options allow", async () => {
    await using provider = await serve((_, response) => json(response, 500, {}))
    await using clients = makeClients()
    const client = at(provider.origin, clients)
    const attempts = async (maxRetries: number | undefined, remaining: number) => {
      const before = provider.requests()
      const options = { method: "get", path: "/models", ...(maxRetries !== undefined && { maxRetries }) } as const
      await rejection(client.request(options, remaining))
      return provider.requests() - before
    }
    assert.deepStrictEqual([await attempts(undefined, 1), await attempts(3, 0), await attempts(1, 3)], [2, 1, 2])
  })

  it.concurrent("turns pages with the options of the first request", async () => {
    const asked: Array<unknown> = []
    let failed = 0
    await using provider = await serve((request, response) => {
      const after = new URL(request.url!, "http://localhost").searchParams.get("after")
      if (after !== null && failed++ < 3) return json(response, 503, {}, { "retry-after-ms": "1" })
      asked.push([after, request.headers["x-mine"]])
      const data = [{ id: after === null ? "file-1" : "file-2" }]
      return json(response, 200, { object: "list", data, has_more: after === null })
    })
    await using clients = makeClients()
    const ids: Array<string> = []
    const files = at(provider.origin, clients).files.list({}, { headers: { "x-mine": "1" }, maxRetries: 3 })
    for await (const file of files) ids.push(file.id)
    assert.deepStrictEqual(ids, ["file-1", "file-2"])
    assert.deepStrictEqual(asked, [
      [null, "1"],
      ["file-1", "1"]
    ])
    assert.strictEqual(failed, 4)
  })

  it.concurrent("uploads files, unwraps webhooks, and marks what is beta", async () => {
    await using sandbox = await Sandbox.start()
    await using clients = makeClients()
    const client = at(sandbox.origin, clients)
    // Without it the SDKs fetch "data:," before an upload.
    assert.strictEqual((client as unknown as { fetch: { Response: unknown } }).fetch.Response, Response)
    const file = await toFile(Buffer.from("content"), "a.jsonl")
    await client.files.create({ file, purpose: "batch" })
    assert.strictEqual(sandbox.uploads[0]?.name, "a.jsonl")

    const secret = Buffer.from("secret").toString("base64")
    const own = get({ apiKey: "sk-test", baseURL: `${sandbox.origin}/v1`, webhookSecret: `whsec_${secret}` }, clients)
    const payload = JSON.stringify({ id: "evt_1", type: "response.completed" })
    const timestamp = String(Math.floor(Date.now() / 1000))
    const signature = createHmac("sha256", "secret").update(`wh_1.${timestamp}.${payload}`).digest("base64")
    const event = await own.webhooks.unwrap(payload, {
      "webhook-id": "wh_1",
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${signature}`
    })
    assert.strictEqual(event.id, "evt_1")

    let beta: unknown
    await using provider = await serve((request, response) => {
      beta = request.headers["openai-beta"]
      json(response, 200, { id: "thread_1" })
    })
    assert.strictEqual((await at(provider.origin, clients).beta.threads.create()).id, "thread_1")
    assert.strictEqual(beta, "assistants=v2")
  })

  it("opens realtime's own socket with the user's key", async () => {
    const opened: Array<unknown> = []
    vi.stubGlobal(
      "WebSocket",
      class extends EventTarget {
        constructor(_: unknown, protocols: ReadonlyArray<string>) {
          super()
          opened.push(protocols.find((protocol) => protocol.startsWith("openai-insecure-api-key.")))
        }
      }
    )
    try {
      await using clients = makeClients()
      const options = { model: "m", dangerouslyAllowBrowser: true }
      const open = async (client: OpenAI) => {
        if (name === "openai") await OpenAIRealtimeWebSocket.create(client, options)
        else await OpenAIRealtimeWebSocket6.create(client as unknown as OpenAI6, options)
      }
      await open(get({ apiKey: "sk-real" }, clients))
      await open(get({ apiKey: () => Promise.resolve("sk-of-a-function") }, clients))
    } finally {
      vi.unstubAllGlobals()
    }
    assert.deepStrictEqual(opened, ["openai-insecure-api-key.sk-real", "openai-insecure-api-key.sk-of-a-function"])
  })
})

it("a file for groq's transcriptions is uploaded whole", async () => {
  let size = 0
  await using provider = await serve((_, response, body) => {
    size = body.length
    json(response, 200, { text: "heard" })
  })
  await using clients = makeClients()
  const groq = getGroqClient({ apiKey: "gsk", baseURL: provider.origin }, clients)
  const file = await toFile(Buffer.alloc(100_000, "a"), "a.wav")
  assert.deepInclude(await groq.audio.transcriptions.create({ file, model: "m" }), { text: "heard" })
  assert.isAbove(size, 100_000)
})
