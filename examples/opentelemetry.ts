/**
 * Spans and metrics of agents and models, sent to a collector over the same pooled connections.
 *
 *     docker run -p 4318:4318 otel/opentelemetry-collector
 *     GROQ_API_KEY=... node examples/opentelemetry.ts
 */
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Otlp from "@effect/opentelemetry/Otlp"
import * as Agent from "clientele/Agent"
import * as ClientLayer from "clientele/ClientLayer"
import * as GroqModel from "clientele/GroqModel"
import * as HttpClient from "clientele/HttpClient"
import * as Telemetry from "clientele/Telemetry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const summarize = Agent.make({
  name: "summarize",
  run: (text: string) => LanguageModel.generateText({ prompt: `Sum up: ${text}` })
})

/** Exports the rest when the layer closes. */
const telemetry = Layer.merge(
  Telemetry.layer("1 second"),
  Otlp.layerJson({
    baseUrl: process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "http://127.0.0.1:4318",
    resource: { serviceName: "summaries" }
  }).pipe(Layer.provide(HttpClient.layer({ maxRetries: 0 })))
)

await Effect.forEach(["a", "b", "c"], summarize, { concurrency: "unbounded" }).pipe(
  Effect.provide(GroqModel.model(process.env["MODEL"] ?? "llama-3.3-70b-versatile")),
  Effect.provide(Layer.provideMerge(telemetry, ClientLayer.layer())),
  Effect.runPromise
)
console.log("told")
