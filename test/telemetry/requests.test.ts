/** Durations of requests, by the conventions for HTTP. */
import { assert, describe, it } from "@effect/vitest"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as PooledHttpClient from "../../src/HttpClient.ts"
import * as Attempts from "../../src/internal/telemetry/attempts.ts"
import { makeClients } from "../../src/Promise.ts"
import { getOpenAIClient } from "../../src/promise/openai.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { series } from "../support/metrics.ts"
import { subjects } from "../support/providers.ts"

const NAME = "http.client.request.duration"

/** Series of one server, which listens on a port of its own: all labels but its own, and counts. */
const told = (port: number) =>
  series(NAME, { "server.port": String(port) }).map(({ count, labels }) => {
    const { "server.address": address, "server.port": _, ...rest } = labels
    assert.strictEqual(address, "127.0.0.1")
    return [rest, count]
  })

const roads = [
  { version: "1.1", sandbox: { protocol: "http/1.1" }, transport: {} },
  { version: "2", sandbox: { protocol: "both", tls: true }, transport: {} }
] as const

describe("the duration of a request", () => {
  for (const { name, ask, config } of subjects) {
    for (const road of roads) {
      it.scopedLive(`is recorded for ${name} over HTTP/${road.version}, each attempt by its outcome`, () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({
            ...road.sandbox,
            faults: [{ times: 1, fault: { type: "status", status: 503 } }]
          })
          const to = yield* config(sandbox, { key: "sk", transport: road.transport })
          yield* ask(to, "one")
          yield* ask(to, "two")
          const common = { "http.request.method": "POST", "network.protocol.version": road.version }
          assert.deepStrictEqual(told(sandbox.port), [
            [{ ...common, "http.response.status_code": "503", "error.type": "503" }, 1],
            [{ ...common, "http.response.status_code": "200" }, 2]
          ])
        }).pipe(Effect.provide(ClientLayer.layer()))
      )
    }
  }

  it.scopedLive("is noted for the Promise API and for an HttpClient as well", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ protocol: "http/1.1" })
      const baseURL = sandbox.baseURL("openai")
      yield* Effect.promise(async () => {
        await using clients = makeClients()
        await getOpenAIClient({ apiKey: "sk", baseURL }, clients).models.list()
      })
      yield* HttpClientRequest.get(`${baseURL}/models`).pipe(
        HttpClientRequest.bearerToken("sk"),
        HttpClient.execute,
        Effect.flatMap(({ json }) => json),
        Effect.provide(Layer.provide(PooledHttpClient.layer(), ClientLayer.layer()))
      )
      assert.deepStrictEqual(told(sandbox.port), [
        [
          {
            "http.request.method": "GET",
            "http.response.status_code": "200",
            "network.protocol.version": "1.1"
          },
          2
        ]
      ])
    })
  )

  it.scopedLive("has the reason for its type of error where no answer came", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "resetBeforeHeaders" } }] })
      const [openai] = subjects
      const to = yield* openai!.config(sandbox, { key: "sk", maxRetries: 0 })
      yield* Effect.flip(openai!.ask(to, "one"))
      assert.deepStrictEqual(
        told(sandbox.port).map(([labels]) => labels),
        [{ "http.request.method": "POST", "error.type": "connection", "network.protocol.version": "1.1" }]
      )
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it("is in seconds, with the boundaries of the conventions, and ends with the headers", () => {
    const recorder = Attempts.make("test", "https://[::1]:8443")
    const attempt = { attempt: 1, outcome: "ok", method: "GET", protocol: "h2", status: 200 } as const
    for (const ms of [5, 6, 1_000, 20_000]) recorder.ended(undefined, { ...attempt, ms })
    const metric = [
      ["http.request.method", "GET"],
      ["server.address", "::1"],
      ["server.port", "8443"],
      ["http.response.status_code", "200"],
      ["network.protocol.version", "2"]
    ].reduce((metric, [label, value]) => Metric.tagged(metric, label!, value!), Telemetry.requestDuration)
    const { buckets, count, sum } = Effect.runSync(Metric.value(metric))
    assert.deepStrictEqual([count, sum], [4, 21.011])
    assert.deepStrictEqual(
      buckets.map(([bound]) => bound).filter(Number.isFinite),
      [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
    )
    const at = new Map(buckets)
    assert.deepStrictEqual(
      [0.005, 0.01, 1, 10].map((bound) => at.get(bound)),
      [1, 2, 3, 3]
    )
  })
})

describe("the series of the duration of a request", () => {
  const attempt = { attempt: 1, outcome: "ok", ms: 3, protocol: "http/1.1" } as const

  it("are bounded whatever methods and statuses come", () => {
    const server = { "server.address": "odd.example" }
    const recorder = Attempts.make("test", "https://odd.example")
    for (const method of ["GET", "get", "BREW", "PROPFIND", "WHEN"]) {
      recorder.ended(undefined, { ...attempt, method, status: 200 })
    }
    const methods = series(NAME, server).map(({ count, labels }) => [labels["http.request.method"], count])
    assert.deepStrictEqual(methods, [
      ["GET", 1],
      ["_OTHER", 4]
    ])
    for (let status = 100; status < 1_000; status++) recorder.ended(undefined, { ...attempt, method: "GET", status })
    const statuses = series(NAME, { ...server, "http.request.method": "GET" })
    assert.isAtMost(statuses.length, 101)
    assert.strictEqual(
      statuses.reduce((sum, { count }) => sum + count, 0),
      901
    )
  })

  it("are bounded whatever servers are asked: those beyond a hundred are one", () => {
    const before = series(NAME).length
    for (let i = 0; i < 1_000; i++) {
      Attempts.make("test", `https://tenant-${i}.example`).ended(undefined, { ...attempt, method: "GET", status: 200 })
    }
    assert.isAtMost(series(NAME).length - before, 101)
    const [others] = series(NAME, { "server.address": "_other", "http.request.method": "GET" })
    assert.isAtLeast(others!.count, 900)
    assert.notProperty(others!.labels, "server.port")
  })
})
