import { Anthropic, AuthenticationError } from "@anthropic-ai/sdk"
import { Cerebras } from "@cerebras/cerebras_cloud_sdk"
import { it as effectIt } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import Groq from "groq-sdk"
import { createHash } from "node:crypto"
import * as http from "node:http"
import { AzureOpenAI, NotFoundError, OpenAI } from "openai"
import OpenAI6 from "openai6"
import { afterAll, assert, beforeAll, beforeEach, describe, expect, it } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"

const KEY = "sk-sandbox-test"
const quiet = { apiKey: KEY, maxRetries: 0 }
const ask = (content: string) => ({ model: "m-1", messages: [{ role: "user" as const, content }] })

const weather = (name: string) => ({
  type: "function" as const,
  function: {
    name,
    description: "the weather of a place",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer", minimum: 1, maximum: 7 } },
      required: ["city", "days"],
      additionalProperties: false
    }
  }
})

let sandbox: Sandbox.Sandbox & AsyncDisposable
beforeAll(async () => {
  sandbox = await Sandbox.start({ apiKeys: [KEY] })
})
afterAll(() => sandbox.close())
beforeEach(() => {
  sandbox.faults.replace([])
  sandbox.resetStats()
})

/** The four chat SDKs as one shape: their `create` differs in types that don't matter here. */
const clients = () => {
  const openai = new OpenAI({ ...quiet, baseURL: sandbox.baseURL("openai") })
  const openai6 = new OpenAI6({ ...quiet, baseURL: sandbox.baseURL("openai") })
  const azure = new AzureOpenAI({ ...quiet, endpoint: sandbox.baseURL("azure"), apiVersion: "2025-01-01" })
  const groq = new Groq({ ...quiet, baseURL: sandbox.baseURL("groq") })
  const cerebras = new Cerebras({ ...quiet, baseURL: sandbox.baseURL("cerebras"), warmTCPConnection: false })
  return { openai, openai6, azure, groq, cerebras }
}
type Clients = ReturnType<typeof clients>
const names = ["openai", "openai6", "azure", "groq", "cerebras"] as const
type Name = (typeof names)[number]

interface Completion {
  readonly id: string
  readonly model: string
  readonly choices: ReadonlyArray<{
    readonly finish_reason: string | null
    readonly message: {
      readonly content?: string | null
      readonly tool_calls?: ReadonlyArray<{
        readonly id: string
        readonly function?: { readonly name: string; readonly arguments: string }
      }> | null
    }
  }>
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number; readonly total_tokens: number }
}
interface Chunk {
  readonly usage?: Completion["usage"] | null
  readonly choices: ReadonlyArray<{
    readonly finish_reason?: string | null
    readonly delta?: {
      readonly content?: string | null
      readonly tool_calls?: ReadonlyArray<{
        readonly index: number
        readonly function?: { readonly name?: string; readonly arguments?: string }
      }> | null
    }
  }>
}

const create = (all: Clients, name: Name, body: object): Promise<Completion> =>
  (all[name].chat.completions.create as (body: object) => Promise<Completion>).call(all[name].chat.completions, body)
const stream = (all: Clients, name: Name, body: object): Promise<AsyncIterable<Chunk>> =>
  (all[name].chat.completions.create as (body: object) => Promise<AsyncIterable<Chunk>>).call(
    all[name].chat.completions,
    { ...body, stream: true }
  )

describe.each(names)("%s over its own fetch", (name) => {
  it("gets an answer that follows from the prompt, with usage that adds up", async () => {
    const all = clients()
    const first = await create(all, name, ask("hello"))
    const again = await create(all, name, ask("hello"))
    const other = await create(all, name, ask("something else"))
    const content = first.choices[0]?.message.content ?? ""
    assert.strictEqual(content.split(" ").length, 16)
    assert.strictEqual(again.choices[0]?.message.content, content)
    assert.notStrictEqual(other.choices[0]?.message.content, content)
    assert.notStrictEqual(again.id, first.id)
    assert.strictEqual(first.choices[0]?.finish_reason, "stop")
    assert.deepInclude(first.usage, { prompt_tokens: 2, completion_tokens: 16, total_tokens: 18 })
  })

  it("streams the same answer token by token, and the usage when asked", async () => {
    const all = clients()
    const plain = await create(all, name, ask("hello"))
    const chunks: Array<Chunk> = []
    for await (const chunk of await stream(all, name, { ...ask("hello"), stream_options: { include_usage: true } })) {
      chunks.push(chunk)
    }
    const deltas = chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").filter((text) => text !== "")
    assert.strictEqual(deltas.length, 16)
    assert.strictEqual(deltas.join(""), plain.choices[0]?.message.content)
    assert.deepEqual(chunks.findLast((chunk) => chunk.usage != null)?.usage, plain.usage)
    assert.isTrue(chunks.some((chunk) => chunk.choices[0]?.finish_reason === "stop"))
  })

  it("calls a tool with arguments that fit, plain and streamed alike, then answers its result", async () => {
    const all = clients()
    const body = { ...ask("weather please"), tools: [weather("forecast"), weather("climate")] }
    const plain = await create(all, name, body)
    const call = plain.choices[0]?.message.tool_calls?.[0]
    assert.strictEqual(plain.choices[0]?.finish_reason, "tool_calls")
    assert.strictEqual(call?.function?.name, "forecast")
    const parsed: { city: unknown; days: unknown } = JSON.parse(call?.function?.arguments ?? "")
    assert.isString(parsed.city)
    assert.isTrue(Number.isInteger(parsed.days) && Number(parsed.days) >= 1 && Number(parsed.days) <= 7)
    let streamed = ""
    for await (const chunk of await stream(all, name, body)) {
      streamed += chunk.choices[0]?.delta?.tool_calls?.[0]?.function?.arguments ?? ""
    }
    assert.strictEqual(streamed, call?.function?.arguments)
    const answered = await create(all, name, {
      ...body,
      messages: [
        ...body.messages,
        plain.choices[0]?.message,
        { role: "tool", tool_call_id: call?.id, content: "sunny" }
      ]
    })
    assert.strictEqual(answered.choices[0]?.finish_reason, "stop")
    assert.isString(answered.choices[0]?.message.content)
  })

  it("gives its errors in the classes of the SDK", async () => {
    const all = clients()
    all[name].apiKey = "wrong"
    await expect(create(all, name, ask("x"))).rejects.toMatchObject({ status: 401, name: "Error" })
    await expect(create(all, name, ask("x"))).rejects.toThrow(/key/i)
    const known = clients()
    await expect(create(known, name, { model: "m", messages: [] })).rejects.toMatchObject({ status: 400 })
    sandbox.faults.push({ fault: { type: "status", status: 429, headers: { "Retry-After": "7" } } })
    const error = await create(known, name, ask("x")).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    assert.strictEqual((error as Error).constructor.name, "RateLimitError")
    const headers = (error as { headers: Headers | Record<string, string> }).headers
    assert.strictEqual(headers instanceof Headers ? headers.get("retry-after") : headers["retry-after"], "7")
  })
})

const openai = () => clients().openai
const anthropic = () => new Anthropic({ ...quiet, authToken: null, baseURL: sandbox.baseURL("anthropic") })

describe("the OpenAI API", () => {
  it("answers a JSON schema with a value of it", async () => {
    const schema = {
      type: "object",
      properties: {
        title: { type: "string", minLength: 3, maxLength: 40 },
        genre: { enum: ["drama", "comedy"] },
        rating: { type: "number", minimum: 0, maximum: 10 },
        tags: { type: "array", items: { type: "string" }, minItems: 3, maxItems: 5, uniqueItems: true },
        sequel: { anyOf: [{ $ref: "#/$defs/film" }, { type: "null" }] }
      },
      required: ["title", "genre", "rating", "tags", "sequel"],
      $defs: { film: { type: "object", properties: { year: { type: "integer" } }, required: ["year"] } }
    }
    const answer = await openai().chat.completions.create({
      ...ask("a film"),
      response_format: { type: "json_schema", json_schema: { name: "film", schema } }
    })
    const value = JSON.parse(answer.choices[0]?.message.content ?? "")
    assert.isTrue(value.title.length >= 3 && value.title.length <= 40)
    assert.include(["drama", "comedy"], value.genre)
    assert.isTrue(value.rating >= 0 && value.rating <= 10)
    assert.isTrue(value.tags.length >= 3 && new Set(value.tags).size === value.tags.length)
    assert.isTrue(value.sequel === null || Number.isInteger(value.sequel.year))
  })

  it("calls two tools when the prompt says call both", async () => {
    const answer = await openai().chat.completions.create({
      ...ask("call both"),
      tools: [weather("forecast"), weather("climate")]
    })
    const calls = answer.choices[0]?.message.tool_calls ?? []
    assert.deepEqual(
      calls.map((call) => (call.type === "function" ? call.function.name : "")),
      ["forecast", "climate"]
    )
  })

  it("embeds texts as unit vectors, the same in both encodings", async () => {
    const body = { model: "text-embedding-3-small", input: ["one", "two", "one"] }
    const encoded = await openai().embeddings.create(body)
    const floats = await openai().embeddings.create({ ...body, encoding_format: "float", dimensions: 1536 })
    const [a, b, c] = encoded.data.map((item) => item.embedding)
    assert.deepEqual(a, c)
    assert.notDeepEqual(a, b)
    assert.closeTo(
      (a ?? []).reduce((sum, x) => sum + x * x, 0),
      1,
      1e-5
    )
    assert.deepEqual(floats.data[0]?.embedding, a)
  })

  it("lists models, and finds those that it lists", async () => {
    const all = await openai().models.list()
    const first = all.data[0]?.id ?? ""
    assert.strictEqual((await openai().models.retrieve(first)).id, first)
    await expect(openai().models.retrieve("none")).rejects.toBeInstanceOf(NotFoundError)
  })

  it("answers the Responses API, plain and streamed", async () => {
    const body = { model: "m", input: "hello" }
    const plain = await openai().responses.create(body)
    assert.strictEqual(plain.output_text.split(" ").length, 16)
    let text = ""
    let last = ""
    for await (const event of await openai().responses.create({ ...body, stream: true })) {
      last = event.type
      if (event.type === "response.output_text.delta") text += event.delta
    }
    assert.strictEqual(text, plain.output_text)
    assert.strictEqual(last, "response.completed")
  })

  it("takes uploads whole, with a length and without", async () => {
    const bytes = Buffer.alloc(3_000_000, "\r\n--almost a boundary")
    const sha256 = createHash("sha256").update(bytes).digest("hex")
    const file = await openai().files.create({ file: new File([bytes], "a b.jsonl"), purpose: "batch" })
    assert.deepInclude(file, { filename: "a b.jsonl", purpose: "batch", bytes: bytes.length })
    assert.deepInclude(sandbox.uploads.at(-1), { size: bytes.length, sha256 })
    assert.strictEqual((await openai().files.retrieve(file.id)).bytes, bytes.length)

    const head = `--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b\r\ncontent-disposition: form-data; name="file"; filename="c"\r\n\r\n`
    const form = Buffer.concat([Buffer.from(head), bytes, Buffer.from("\r\n--b--\r\n")])
    const headers = { "content-type": "multipart/form-data; boundary=b", authorization: `Bearer ${KEY}` }
    const sent = await new Promise<number | undefined>((resolve, reject) => {
      const request = http.request(`${sandbox.origin}/v1/files`, { method: "POST", headers }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      request.on("error", reject)
      // Pieces of an odd size, so that delimiters fall across them.
      for (let i = 0; i < form.length; i += 7919) request.write(form.subarray(i, i + 7919))
      request.end()
    })
    assert.strictEqual(sent, 200)
    assert.deepInclude(sandbox.uploads.at(-1), { name: "c", size: bytes.length, sha256 })
  })
})

describe("Anthropic's API", () => {
  const body = { ...ask("hello"), max_tokens: 100 }
  it("answers messages, plain and streamed alike", async () => {
    const plain = await anthropic().messages.create(body)
    const block = plain.content[0]
    const text = block?.type === "text" ? block.text : ""
    assert.strictEqual(text.split(" ").length, 16)
    assert.strictEqual(plain.stop_reason, "end_turn")
    const streamed = await anthropic().messages.stream(body).finalMessage()
    assert.deepInclude(streamed.content[0], { type: "text", text })
    assert.strictEqual(streamed.usage.output_tokens, 16)
  })

  it("uses tools, plain and streamed alike", async () => {
    const tools = [{ name: "forecast", input_schema: weather("forecast").function.parameters as { type: "object" } }]
    const plain = await anthropic().messages.create({ ...body, tools })
    const streamed = await anthropic()
      .messages.stream({ ...body, tools })
      .finalMessage()
    assert.strictEqual(plain.stop_reason, "tool_use")
    const [a, b] = [plain.content[0], streamed.content[0]]
    assert.isTrue(a?.type === "tool_use" && b?.type === "tool_use")
    if (a?.type === "tool_use" && b?.type === "tool_use") assert.deepEqual(b.input, a.input)
  })

  it("gives its errors in the classes of the SDK", async () => {
    const wrong = new Anthropic({ ...quiet, apiKey: "no", authToken: null, baseURL: sandbox.baseURL("anthropic") })
    await expect(wrong.messages.create(body)).rejects.toBeInstanceOf(AuthenticationError)
  })
})

describe("the counts", () => {
  it("count requests by key, path, status and connection", async () => {
    const all = clients()
    await create(all, "groq", ask("one"))
    all.groq.apiKey = "wrong"
    await create(all, "groq", ask("one")).catch(() => {})
    const stats = sandbox.stats()
    assert.deepEqual(
      [...stats.requestsByKey],
      [
        [KEY, 1],
        ["wrong", 1]
      ]
    )
    assert.deepEqual([...stats.requestsByPath], [["/openai/v1/chat/completions", 2]])
    assert.deepEqual([...stats.responsesByStatus].sort(), [
      [200, 1],
      [401, 1]
    ])
    assert.strictEqual(
      stats.byConnection.reduce((sum, one) => sum + one.requests, 0),
      2
    )
    assert.strictEqual(stats.inFlight, 0)
    assert.strictEqual(stats.log.length, 2)
    assert.notInclude(JSON.stringify(stats.log), KEY)
  })

  it("are served to other processes, without keys and without counting that", async () => {
    await create(clients(), "openai", ask("one"))
    const response = await fetch(`${sandbox.origin}/__sandbox/stats`)
    const text = await response.text()
    assert.strictEqual(JSON.parse(text).requests, 1)
    assert.notInclude(text, KEY)
    await fetch(`${sandbox.origin}/__sandbox/reset`, { method: "POST" }).then((reset) => reset.text())
    assert.strictEqual(sandbox.stats().requests, 0)
  })

  it("include a client that goes away in mid answer", async () => {
    const response = await fetch(`${sandbox.baseURL("openai")}/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${KEY}`, "x-sandbox-time-per-token": "50" },
      body: JSON.stringify({ ...ask("x"), stream: true })
    })
    const reader = response.body?.getReader()
    await reader?.read()
    assert.strictEqual(sandbox.stats().inFlight, 1)
    await reader?.cancel()
    await expect.poll(() => sandbox.stats().aborts, { timeout: 30_000 }).toBe(1)
    assert.deepEqual([...sandbox.stats().abortCodes], [["socket", 1]])
    assert.strictEqual(sandbox.stats().inFlight, 0)
    assert.strictEqual(sandbox.stats().log.at(-1)?.outcome, "aborted")
  })
})

describe("the Effect API", () => {
  effectIt.live("closes with its scope, cutting what is open", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const own = yield* Sandbox.make({ latency: "1 minute" }).pipe(Scope.extend(scope))
      const pending = fetch(`${own.origin}/v1/models`).then(
        () => "answered",
        () => "cut"
      )
      yield* Effect.promise(() => expect.poll(() => own.stats().inFlight, { timeout: 30_000 }).toBe(1))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Effect.promise(() => pending), "cut")
      assert.strictEqual(own.stats().connections.open, 0)
    })
  )

  effectIt.live("fails with a SandboxError where the port is taken", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Sandbox.make({ port: sandbox.port })))
      assert.strictEqual(error._tag, "SandboxError")
      assert.match(error.message, new RegExp(`${sandbox.port}.*EADDRINUSE`))
    })
  )
})
