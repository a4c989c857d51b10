/** OpenTelemetry's SDK of the day, started as its documentation says, beside the packed tarball. */
import * as Effect from "effect/Effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { type Project, projectWith } from "../support/packed.ts"

const app = `
import { trace } from "@opentelemetry/api"
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici"
import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics"
import { NodeSDK } from "@opentelemetry/sdk-node"
import { getOpenAIClient } from "clientele/promise/openai"

const spans = []
const seen = { onStart: () => undefined, onEnd: (span) => void spans.push(span), forceFlush: async () => undefined, shutdown: async () => undefined }
const measured = []
const exporter = {
  export: ({ scopeMetrics }, done) => {
    for (const { scope, metrics } of scopeMetrics) if (scope.name === "clientele") measured.push(...metrics)
    done({ code: 0 })
  },
  forceFlush: async () => undefined,
  shutdown: async () => undefined
}
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
const sdk = new NodeSDK({ spanProcessors: [seen], metricReaders: [reader], instrumentations: [new UndiciInstrumentation()] })
sdk.start()

const openai = getOpenAIClient({
  apiKey: "sk",
  baseURL: process.env.BASE_URL,
  transport: { ca: process.env.CA, maxConnections: 1 }
})
const agent = (name) =>
  trace.getTracer("app").startActiveSpan(name, async (span) => {
    await openai.chat.completions.create({ model: "gpt", messages: [{ role: "user", content: "hello" }] })
    span.end()
  })
await Promise.all(["a", "b", "c"].map(agent))
await sdk.shutdown()

const byId = new Map(spans.map((span) => [span.spanContext().spanId, span]))
const path = (span) => {
  const above = byId.get(span.parentSpanContext?.spanId)
  return above === undefined ? span.name : path(above) + " > " + span.name
}
const units = [...new Set(measured.map(({ descriptor }) => descriptor.name + " in " + descriptor.unit))]
console.log(JSON.stringify({
  paths: spans.map(path).sort(),
  versions: spans.flatMap(({ attributes }) => attributes["network.protocol.version"] ?? []),
  reasons: spans.flatMap(({ attributes }) => attributes["gen_ai.response.finish_reasons"] ?? []),
  units: units.filter((one) => one.startsWith("gen_ai") || one.startsWith("http.client.request")).sort()
}))
`

const roads = [
  { name: "HTTP/1.1", version: "1.1", options: { protocol: "http/1.1" } },
  { name: "HTTP/2", version: "2", options: { protocol: "both", tls: true } }
] as const

describe("an app with OpenTelemetry's SDK and the packed tarball", () => {
  let project: Project

  beforeAll(async () => {
    project = await projectWith(
      "clientele",
      "effect@3",
      "@effect/platform@0",
      "openai",
      "@opentelemetry/api",
      "@opentelemetry/sdk-metrics",
      "@opentelemetry/sdk-node",
      "@opentelemetry/instrumentation-undici"
    )
    project.write("app.js", app)
  }, 300_000)

  afterAll(() => project.dispose())

  for (const { name, options, version } of roads) {
    it(`exports spans of three agents over one connection of ${name}, each below its own`, { timeout: 60_000 }, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make(options)
        const env = { BASE_URL: sandbox.baseURL("openai"), CA: sandbox.ca }
        const { status, stderr, stdout } = yield* Effect.promise(() => project.run(process.execPath, ["app.js"], env))
        assert.strictEqual(status, 0, stderr)
        assert.deepStrictEqual(JSON.parse(stdout.trim().split("\n").at(-1)!), {
          paths: ["a", "b", "c"].flatMap((agent) => [agent, `${agent} > chat gpt`, `${agent} > chat gpt > POST`]),
          versions: [version, version, version],
          reasons: ["stop", "stop", "stop"],
          units: [
            "gen_ai.client.operation.duration in s",
            "gen_ai.client.token.usage in {token}",
            "http.client.request.duration in s"
          ]
        })
      }).pipe(Effect.scoped, Effect.runPromise)
    )
  }
})
