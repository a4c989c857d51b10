/**
 * A model that calls tools until it has its answer.
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

const Weather = Tool.make("weather", {
  description: "The weather in a city, in degrees Celsius",
  parameters: { city: Schema.String },
  success: Schema.Struct({ degrees: Schema.Number })
})

const toolkit = Toolkit.make(Weather)

const handlers = toolkit.toLayer({
  weather: ({ city }) => Effect.succeed({ degrees: 10 + city.length })
})

const main = Effect.gen(function* () {
  const { rounds, text, transcript, usage } = yield* ToolLoop.run({ prompt: "Is it warm in Rome?", toolkit })
  for (const message of transcript.content) console.log(`${message.role}: ${JSON.stringify(message.content)}`)
  console.log(`\n${text}\n\n${rounds} rounds, ${usage.totalTokens ?? 0} tokens`)
})

await main.pipe(
  Effect.provide([handlers, GroqModel.model(process.env["MODEL"] ?? "llama-3.3-70b-versatile")]),
  Effect.provide(ClientLayer.layer()),
  Effect.runPromise
)
