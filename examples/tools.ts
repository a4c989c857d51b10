/**
 * A model that calls tools until it has its answer, which is written as it comes.
 *
 *     GROQ_API_KEY=... node examples/tools.ts
 */
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import * as ClientLayer from "clientele/ClientLayer"
import * as GroqModel from "clientele/GroqModel"
import * as ToolLoop from "clientele/ToolLoop"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

const Weather = Tool.make("weather", {
  description: "The weather in a city, in degrees Celsius",
  parameters: { city: Schema.String },
  success: Schema.Struct({ degrees: Schema.Number })
})

const toolkit = Toolkit.make(Weather)

const handlers = toolkit.toLayer({
  weather: ({ city }) => Effect.succeed({ degrees: 10 + city.length })
})

const write = (text: string): Effect.Effect<void> => Effect.sync(() => void process.stdout.write(text))

const main = ToolLoop.stream({ prompt: "Is it warm in Rome?", toolkit }).pipe(
  Stream.runForEach((part) => {
    switch (part.type) {
      case "tool-call":
        return write(`${part.name}(${JSON.stringify(part.params)})\n`)
      case "tool-result":
        return write(`${part.name}: ${JSON.stringify(part.encodedResult)}\n`)
      case "text-delta":
        return write(part.delta)
      case "loop-end":
        return write(`\n\n${part.result.rounds} rounds, ${part.result.usage.totalTokens ?? 0} tokens\n`)
      default:
        return Effect.void
    }
  })
)

await main.pipe(
  Effect.provide([handlers, GroqModel.model(process.env["MODEL"] ?? "llama-3.3-70b-versatile")]),
  Effect.provide(ClientLayer.layer()),
  Effect.runPromise
)
