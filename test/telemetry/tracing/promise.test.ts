/** Spans and metrics of clients that are made without Effect, as OpenTelemetry's SDK exports them. */
import { context, SpanKind, trace } from "@opentelemetry/api"
import { DataPointType, type HistogramMetricData } from "@opentelemetry/sdk-metrics"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { makeClients } from "../../../src/Promise.ts"
import { getOpenAIClient } from "../../../src/promise/openai.ts"
import * as Sandbox from "../../../src/testing/Sandbox.ts"
import { parentOf, sdk, type Sdk } from "../../support/otel.ts"
import { until } from "../../support/wait.ts"

let app: Sdk
let scope: Scope.CloseableScope

beforeEach(() => {
  app = sdk()
  scope = Effect.runSync(Scope.make())
})

afterEach(async () => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  await app.close()
})

const serve = (options: Sandbox.Options): Promise<Sandbox.Sandbox> =>
  Effect.runPromise(Scope.extend(Sandbox.make(options), scope))

const roads = [
  { name: "HTTP/1.1", version: "1.1", options: { protocol: "http/1.1" } },
  { name: "HTTP/2", version: "2", options: { protocol: "both", tls: true } }
] as const

const question = (model: string) => ({ model, messages: [{ role: "user" as const, content: "canary-prompt" }] })

/** Runs `f` in a span of the app's. */
const within = <A>(name: string, f: () => Promise<A>): Promise<A> =>
  app.tracer.startActiveSpan(name, async (span) => {
    try {
      return await f()
    } finally {
      span.end()
    }
  })

const named = (name: string) => app.spans().filter((span) => span.name === name)

const ended = (name: string, count: number) => until(() => named(name).length === count)

const connect = (sandbox: Sandbox.Sandbox, more: object = {}) => ({
  apiKey: "sk-canary-key",
  baseURL: sandbox.baseURL("openai"),
  transport: { ca: sandbox.ca, maxConnections: 1 },
  ...more
})

/** Units, and values by what they limit. */
const gauges = async () => {
  const all = await app.metrics()
  return ["http.client.open_connections", "clientele.clients", "clientele.quota.limit"].map((name) => {
    const { dataPoints, descriptor } = all.find((one) => one.descriptor.name === name)!
    return [descriptor.unit, dataPoints.map(({ attributes, value }) => [attributes["limit"], value])]
  })
}

describe("without Effect, OpenTelemetry's SDK exports", () => {
  for (const { name, options, version } of roads) {
    it(`over ${name} a span for each call below its caller's, and undici's below that`, async () => {
      const sandbox = await serve(options)
      await using clients = makeClients()
      // So that some wait for their turn, and some for the socket.
      const openai = getOpenAIClient(connect(sandbox, { quota: { maxConcurrency: 4 } }), clients)
      const agents = Array.from({ length: 8 }, (_, i) => `agent-${i}`)
      await Promise.all(
        agents.map((agent) => within(agent, () => openai.chat.completions.create(question(`gpt-${agent}`))))
      )
      await ended("POST", agents.length)
      const spans = app.spans()
      for (const agent of agents) {
        const [chat] = named(`chat gpt-${agent}`)
        assert.strictEqual(parentOf(spans, chat!), agent)
        assert.strictEqual(chat!.kind, SpanKind.CLIENT)
        assert.strictEqual(chat!.instrumentationScope.name, "clientele")
        const { "gen_ai.response.id": id, "gen_ai.usage.input_tokens": input, ...rest } = chat!.attributes
        assert.match(String(id), /^chatcmpl-/)
        assert.isAbove(Number(input), 0)
        assert.deepInclude(rest, {
          "gen_ai.operation.name": "chat",
          "gen_ai.provider.name": "openai",
          "gen_ai.request.model": `gpt-${agent}`,
          "gen_ai.response.model": `gpt-${agent}`,
          "gen_ai.response.finish_reasons": ["stop"],
          "server.address": "127.0.0.1",
          "server.port": sandbox.port
        })
        assert.deepStrictEqual(
          chat!.events.map((event) => [event.name, event.attributes!["network.protocol.version"]]),
          [["clientele.attempt", version]]
        )
      }
      const below = named("POST").map((span) => [
        parentOf(spans, span),
        span.attributes["http.response.status_code"],
        span.attributes["network.protocol.version"]
      ])
      assert.sameDeepMembers(
        below,
        agents.map((agent) => [`chat gpt-${agent}`, 200, version])
      )
      const told = JSON.stringify(spans.map(({ attributes, events, status }) => [attributes, events, status]))
      assert.notInclude(told, "canary")
    })
  }

  it("a span for a stream until its last chunk, with the provider's words for its end", async () => {
    const sandbox = await serve({ protocol: "http/1.1" })
    await using clients = makeClients()
    const openai = getOpenAIClient(connect(sandbox), clients)
    const body = { ...question("gpt-stream"), stream: true, stream_options: { include_usage: true } } as const
    let tokens = 0
    for await (const chunk of await openai.chat.completions.create(body)) {
      assert.deepStrictEqual(named("chat gpt-stream"), [])
      tokens = chunk.usage?.completion_tokens ?? tokens
    }
    await ended("chat gpt-stream", 1)
    const [{ attributes }] = named("chat gpt-stream") as [ReturnType<Sdk["spans"]>[number]]
    assert.deepStrictEqual(attributes["gen_ai.response.finish_reasons"], ["stop"])
    assert.strictEqual(attributes["gen_ai.response.model"], "gpt-stream")
    assert.strictEqual(attributes["gen_ai.usage.output_tokens"], tokens)
  })

  it("an unfailed span for a stream that its reader leaves, and for a request that its caller aborts", async () => {
    const sandbox = await serve({ protocol: "http/1.1", timePerToken: 20, tokens: 1_000 })
    await using clients = makeClients()
    const openai = getOpenAIClient(connect(sandbox), clients)
    for await (const _ of await openai.chat.completions.create({ ...question("gpt-left"), stream: true })) break
    sandbox.faults.push({ times: 1, fault: { type: "stall", at: "headers" } })
    const stop = new AbortController()
    const { requests } = sandbox.stats()
    const aborted = openai.chat.completions.create(question("gpt-aborted"), { signal: stop.signal })
    await until(() => sandbox.stats().requests > requests)
    stop.abort()
    await aborted.catch(() => undefined)
    for (const [model, type] of [
      ["left", "Aborted"],
      ["aborted", "AbortError"]
    ]) {
      await ended(`chat gpt-${model}`, 1)
      const [span] = named(`chat gpt-${model}`)
      assert.deepStrictEqual([span!.attributes["error.type"], span!.status.code], [type, 0])
    }
    await ended("POST", 2)
    assert.deepStrictEqual(
      named("POST").map(({ status }) => status.code),
      [0, 0]
    )
  })

  it("a span for embeddings, for the Responses API, and by HTTP's conventions for what is no call of a model", async () => {
    const sandbox = await serve({ protocol: "http/1.1" })
    await using clients = makeClients()
    const openai = getOpenAIClient(connect(sandbox, { defaultQuery: { key: "canary-query" } }), clients)
    await openai.embeddings.create({ model: "embed-1", input: "canary" })
    await openai.responses.create({ model: "gpt-responses", input: "canary" })
    await openai.models.list()
    await ended("embeddings embed-1", 1)
    const [embeddings] = named("embeddings embed-1")
    assert.deepInclude(embeddings!.attributes, {
      "gen_ai.operation.name": "embeddings",
      "gen_ai.request.model": "embed-1"
    })
    const [responses] = named("chat gpt-responses")
    assert.deepStrictEqual(responses!.attributes["gen_ai.response.finish_reasons"], ["completed"])
    const [list] = named("GET").filter((span) => span.instrumentationScope.name === "clientele")
    assert.deepStrictEqual(list!.attributes, {
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "url.full": `${sandbox.baseURL("openai")}/models`,
      "server.address": "127.0.0.1",
      "server.port": sandbox.port
    })
  })

  it("a failed span that has the type of the failure and none of its text, and each retry as an event", async () => {
    const sandbox = await serve({
      protocol: "http/1.1",
      faults: [{ times: 2, fault: { type: "status", status: 400, body: `{"error":{"message":"canary"}}` } }]
    })
    await using clients = makeClients()
    const openai = getOpenAIClient(connect(sandbox), clients)
    await openai.chat.completions.create(question("gpt-refused")).catch(() => undefined)
    const fetched = clients.getFetch({ ...connect(sandbox), provider: "groq", baseURL: sandbox.baseURL("openai") })
    const init = { method: "POST", body: JSON.stringify(question("gpt-fetched")) }
    await (await fetched(`${sandbox.baseURL("openai")}/chat/completions`, init)).text()
    sandbox.faults.replace([{ times: 1, fault: { type: "status", status: 503 } }])
    await openai.chat.completions.create(question("gpt-retried"))
    for (const model of ["refused", "fetched"]) {
      await ended(`chat gpt-${model}`, 1)
      const [span] = named(`chat gpt-${model}`)
      assert.strictEqual(span!.attributes["error.type"], "400")
      assert.deepStrictEqual(span!.status, { code: 2 })
      assert.notInclude(JSON.stringify([span!.attributes, span!.events]), "canary")
    }
    await ended("chat gpt-retried", 1)
    const [retried] = named("chat gpt-retried")
    assert.deepStrictEqual(
      retried!.events.map((event) => event.name),
      ["clientele.attempt", "clientele.retry", "clientele.attempt"]
    )
    assert.strictEqual(retried!.events[2]!.attributes!["http.request.resend_count"], 1)
  })

  it("metrics with the units and boundaries of the conventions", async () => {
    const sandbox = await serve({ protocol: "http/1.1" })
    await using clients = makeClients()
    const openai = getOpenAIClient(connect(sandbox), clients)
    const { usage } = await openai.chat.completions.create(question("gpt-measured"))
    const all = await app.metrics()
    const find = (name: string) => all.find(({ descriptor }) => descriptor.name === name)!
    const units = ["gen_ai.client.operation.duration", "gen_ai.client.token.usage", "clientele.attempts"].map(
      (name) => find(name).descriptor.unit
    )
    assert.deepStrictEqual(units, ["s", "{token}", "{request}"])
    const tokens = find("gen_ai.client.token.usage") as HistogramMetricData
    assert.strictEqual(tokens.dataPointType, DataPointType.HISTOGRAM)
    const input = tokens.dataPoints.find(({ attributes }) => attributes["gen_ai.token.type"] === "input")!
    assert.deepStrictEqual(input.attributes, {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "gpt-measured",
      "gen_ai.token.type": "input"
    })
    assert.strictEqual(input.value.sum, usage!.prompt_tokens)
    assert.deepStrictEqual(
      input.value.buckets.boundaries,
      Array.from({ length: 14 }, (_, i) => 4 ** i)
    )
    const http = all.filter(({ descriptor }) => descriptor.name === "http.client.request.duration")
    const own = http.find(({ dataPoints }) => dataPoints.some(({ attributes }) => !("url.scheme" in attributes)))!
    assert.strictEqual(own.descriptor.unit, "s")
    assert.deepInclude(own.dataPoints[0]!.attributes, {
      "http.request.method": "POST",
      "http.response.status_code": 200,
      "server.port": sandbox.port
    })
  })

  it("gauges of all sets of clients as they are when they are read", async () => {
    const sandbox = await serve({ protocol: "http/1.1" })
    // In use for a minute.
    const quota = { requestsPerMinute: 1 }
    await using one = makeClients()
    await using two = makeClients()
    for (const clients of [one, two]) {
      await getOpenAIClient(connect(sandbox, { quota }), clients).chat.completions.create(question("gpt-gauged"))
    }
    assert.deepStrictEqual(await gauges(), [
      ["{connection}", [[undefined, 2]]],
      ["{client}", [[undefined, 2]]],
      ["1", [["requests", 2]]]
    ])
    await two.close()
    assert.deepStrictEqual((await gauges()).slice(0, 2), [
      ["{connection}", [[undefined, 1]]],
      ["{client}", [[undefined, 1]]]
    ])
  })

  it("what is started after the first client was made, and nothing once it is gone", async () => {
    const sandbox = await serve({ protocol: "http/1.1" })
    await using clients = makeClients()
    const openai = getOpenAIClient(connect(sandbox), clients)
    await openai.chat.completions.create(question("gpt-before"))
    await app.close()
    await openai.chat.completions.create(question("gpt-between"))
    assert.isUndefined(trace.getSpan(context.active()))
    app = sdk()
    await openai.chat.completions.create(question("gpt-after"))
    await ended("chat gpt-after", 1)
    assert.deepStrictEqual(named("chat gpt-between"), [])
  })
})
