/** The same call leaves the process as the same request, through an SDK's client or without one. */
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import fc from "fast-check"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { ClientConfig } from "../../src/ClientConfig.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import type { ClientMap } from "../../src/ClientMap.ts"
import * as AzureOpenAiClient from "../../src/AzureOpenAiClient.ts"
import * as CerebrasClient from "../../src/CerebrasClient.ts"
import * as GroqClient from "../../src/GroqClient.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import type { ApiRequest, CallOptions } from "../../src/internal/direct/options.ts"
import { body, type Door, providers, type Doors } from "./doors.ts"
import { events, json, type Recorder, type Sent, start } from "./recorder.ts"
import { draws } from "../support/draws.ts"

let server: Recorder
const runtime = ManagedRuntime.make(ClientLayer.layer())

beforeAll(async () => {
  server = await start()
})

afterAll(async () => {
  await runtime.dispose()
  await server.close()
})

/** Headers by which an SDK names itself, and those that differ from one request to another. */
const isOwn = (name: string): boolean => /^(x-stainless-.*|user-agent|content-length|connection)$/.test(name)

/** All that a provider reads of a request. The order of parameters and of JSON's fields means nothing. */
const meaning = ({ body, headers, method, url }: Sent) => {
  const { pathname, searchParams } = new URL(url, server.origin)
  const kept = Object.entries(headers).filter(([name]) => !isOwn(name))
  const generated = /^[\da-f]{8}-[\da-f-]{27}$/
  return {
    method,
    path: pathname,
    query: [...searchParams].toSorted(),
    headers: Object.fromEntries(
      kept.map(([name, value]) => [
        name,
        name === "idempotency-key" && generated.test(String(value)) ? "generated" : value
      ])
    ),
    body: body === "" ? undefined : (JSON.parse(body) as unknown)
  }
}

const sentBy = async (run: Effect.Effect<unknown, unknown, never>): Promise<ReturnType<typeof meaning>> => {
  server.sent.length = 0
  await Effect.runPromise(Effect.exit(run))
  assert.strictEqual(server.sent.length, 1)
  return meaning(server.sent[0]!)
}

const same = async (
  { direct, sdk }: Doors,
  call: (door: Door) => Effect.Effect<unknown, unknown, ClientMap>
): Promise<ReturnType<typeof meaning>> => {
  const run = (door: Door) => Effect.flatMap(runtime.runtimeEffect, (runtime) => Effect.provide(call(door), runtime))
  const first = await sentBy(run(sdk))
  assert.deepStrictEqual(await sentBy(run(direct)), first)
  return first
}

const word = fc.stringMatching(/^[a-z]{1,6}$/)
const value = fc.stringMatching(/^[a-zA-Z0-9 é&=+%~*'()!/?#-]{1,8}$/)

/** None that a client may not send, such as `te` or `host`. */
const headerName = word.map((name) => `x-${name}`)

/** Options of clients that are seen on the wire. */
const clientOptions = fc.record({
  apiKey: fc.stringMatching(/^sk-[a-zA-Z0-9]{8,24}$/),
  headers: fc.dictionary(fc.oneof(headerName, fc.constantFrom("accept", "openai-organization")), word, { maxKeys: 3 }),
  query: fc.dictionary(word, value, { maxKeys: 3 }),
  organization: fc.option(word, { nil: null }),
  project: fc.option(word, { nil: null }),
  apiVersion: fc.constantFrom("2024-10-21", "preview"),
  deployment: fc.option(word, { nil: null }),
  hasPath: fc.boolean(),
  maxRetries: fc.nat(2)
})

type ClientOptions = typeof clientOptions extends fc.Arbitrary<infer A> ? A : never

const configOf = (name: Doors["name"], given: ClientOptions): Promise<ClientConfig> => {
  const { apiVersion, deployment, hasPath, organization, project, ...rest } = given
  const common = { ...rest, apiKey: Redacted.make(given.apiKey), transport: { circuitFailures: false as const } }
  const baseURL = `${server.origin}${hasPath ? "/some/where" : ""}`
  const tenant = { organization, project }
  const config: Record<Doors["name"], () => Effect.Effect<ClientConfig, unknown>> = {
    openai: () => OpenAiClient.config({ ...common, ...tenant, baseURL }),
    azure: () =>
      hasPath
        ? AzureOpenAiClient.config({
            ...common,
            ...tenant,
            apiVersion,
            deployment,
            baseURL: `${baseURL}/deployments/d`
          })
        : AzureOpenAiClient.config({ ...common, ...tenant, apiVersion, deployment, endpoint: baseURL }),
    groq: () => GroqClient.config({ ...common, baseURL }),
    cerebras: () => CerebrasClient.config({ ...common, baseURL })
  }
  return Effect.runPromise(config[name]())
}

/** The SDKs of Groq and Cerebras take no arrays in a query. */
const callOptions = (name: Doors["name"]): fc.Arbitrary<CallOptions> => {
  const simple = fc.oneof(value, fc.nat(9), fc.boolean())
  const parameter = name === "openai" || name === "azure" ? fc.oneof(simple, fc.array(word, { minLength: 1 })) : simple
  return fc.record(
    {
      headers: fc.dictionary(
        fc.oneof(headerName, fc.constantFrom("Accept", "Authorization", "Idempotency-Key", "Content-Type")),
        fc.oneof(word, fc.constant(null)),
        { maxKeys: 2 }
      ),
      query: fc.dictionary(word, parameter, { maxKeys: 2 }),
      timeout: fc.integer({ min: 5_000, max: 60_000 }),
      maxRetries: fc.nat(2)
    },
    { requiredKeys: [] }
  )
}

const model = fc.stringMatching(/^[a-zA-Z0-9 ./:_@+%é-]{1,12}$/).filter((name) => !/^\.*$/.test(name.trim()))

const bodies = fc.record({
  model,
  messages: fc.array(fc.record({ role: fc.constantFrom("user", "system"), content: fc.string() }), { minLength: 1 }),
  temperature: fc.double({ noNaN: true, noDefaultInfinity: true }),
  metadata: fc.dictionary(word, fc.string(), { maxKeys: 2 })
})

const RUNS = draws(40)

describe.each(providers)("a request of $name, without an SDK between as with it,", (provider) => {
  it("is the same for a chat", () =>
    fc.assert(
      fc.asyncProperty(clientOptions, bodies, callOptions(provider.name), async (given, body, options) => {
        const config = await configOf(provider.name, given)
        await same(provider, (door) => door.chat(config, body, options))
      }),
      { numRuns: RUNS }
    ))

  it("is the same for a streamed chat", async () => {
    const config = await configOf(provider.name, { ...fixed, hasPath: false })
    server.answer = events(["data: [DONE]\n\n"])
    const sent = await same(provider, (door) => Stream.runDrain(door.chatStream(config, body())))
    server.answer = json({})
    assert.strictEqual((sent.body as { stream: boolean }).stream, true)
    assert.strictEqual(sent.headers["accept"], "application/json")
  })

  it.skipIf(provider.direct.embeddings === undefined)("is the same for embeddings", () =>
    fc.assert(
      fc.asyncProperty(
        clientOptions,
        fc.record(
          { input: fc.array(fc.string(), { minLength: 1 }), encoding_format: fc.constantFrom("float", "base64") },
          { requiredKeys: ["input"] }
        ),
        async (given, body) => {
          const config = await configOf(provider.name, given)
          await same(provider, (door) => door.embeddings!(config, { model: "m", ...body }))
        }
      ),
      { numRuns: Math.ceil(RUNS / 2) }
    )
  )

  it("is the same for any path and method", () => {
    const requests: fc.Arbitrary<ApiRequest> = fc.record({
      method: fc.constantFrom("GET", "POST", "PUT", "PATCH", "DELETE"),
      path: fc.constantFrom("/models", "/files/a%20b", "/embeddings", "/audio/speech", "/x?limit=2&after=%C3%A9"),
      query: fc.dictionary(word, value, { maxKeys: 2 })
    })
    return fc.assert(
      fc.asyncProperty(clientOptions, requests, fc.option(bodies, { nil: undefined }), async (given, request, body) => {
        const config = await configOf(provider.name, given)
        const hasBody = request.method !== "GET" && body !== undefined
        // Cerebras's SDK names the type of a body that is not there.
        if (provider.name === "cerebras" && !hasBody && request.method !== "GET") return
        await same(provider, (door) => door.request(config, { ...request, ...(hasBody && { body }) }))
      }),
      { numRuns: RUNS }
    )
  })
})

const fixed: ClientOptions = {
  apiKey: "sk-fixed-key",
  headers: { "x-team": "search" },
  query: { q: "a b" },
  organization: "org",
  project: "proj",
  apiVersion: "2024-10-21",
  deployment: null,
  hasPath: false,
  maxRetries: 2
}

describe("a direct request", () => {
  const [openai, azure] = providers as [Doors, Doors]

  it("carries key, organization, project, the client's headers and an Idempotency-Key", async () => {
    const config = await configOf("openai", fixed)
    const sent = await same(openai, (door) => door.chat(config, body()))
    assert.deepInclude(sent.headers, {
      authorization: "Bearer sk-fixed-key",
      "openai-organization": "org",
      "openai-project": "proj",
      "x-team": "search",
      "content-type": "application/json",
      "idempotency-key": "generated"
    })
    assert.deepStrictEqual(sent.query, [["q", "a b"]])
  })

  it("goes to Azure's deployment, with its api-key and api-version", async () => {
    const config = await configOf("azure", { ...fixed, deployment: "mine" })
    const sent = await same(azure, (door) => door.chat(config, body()))
    assert.strictEqual(sent.path, "/openai/deployments/mine/chat/completions")
    assert.deepInclude(sent.query, ["api-version", "2024-10-21"])
    assert.strictEqual(sent.headers["api-key"], "sk-fixed-key")
  })

  it("has the key of its caller with all attempts", async () => {
    const config = await configOf("openai", fixed)
    server.answer = { status: 503, headers: { "retry-after": "0" }, pieces: ["{}"] }
    server.sent.length = 0
    await runtime.runPromise(Effect.exit(openai.direct.chat(config, body(), { idempotencyKey: "mine", maxRetries: 1 })))
    server.answer = json({})
    assert.deepStrictEqual(
      server.sent.map(({ headers }) => headers["idempotency-key"]),
      ["mine", "mine"]
    )
  })

  it("sends Cerebras's parameters of the head as headers", async () => {
    const cerebras = providers[3]!
    const config = await configOf("cerebras", fixed)
    const sent = await same(cerebras, (door) => door.chat(config, { ...body(), "CF-RAY": "ray", "X-delay-time": 3 }))
    assert.deepInclude(sent.headers, { "cf-ray": "ray", "x-delay-time": "3" })
    assert.notProperty(sent.body, "CF-RAY")
  })
})
