/** Tools of an agent under test, one of which fails, and the model that calls them as a scripted provider says. */
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as OpenAiModel from "../../src/OpenAiModel.ts"

export class Broken extends Schema.TaggedError<Broken>()("Broken", { what: Schema.String }) {}

const Weather = Tool.make("weather", {
  parameters: { city: Schema.String, unit: Schema.optional(Schema.Literal("C", "F")) },
  success: Schema.Struct({ degrees: Schema.Number }),
  failure: Broken
})
const Clock = Tool.make("clock", { success: Schema.String })

export const toolkit = Toolkit.make(Weather, Clock)

/** There is no weather in Atlantis. */
export const handlers = toolkit.toLayer({
  weather: ({ city }) => (city === "Atlantis" ? new Broken({ what: "sunk" }) : Effect.succeed({ degrees: 21 })),
  clock: () => Effect.succeed("noon")
})

/** Parameters of `weather` as a model says them in strict mode. */
export const rome = JSON.stringify({ city: "Rome", unit: null })

export const model = (baseURL: string) =>
  OpenAiModel.model("scripted", { client: { apiKey: Redacted.make("sk"), baseURL, maxRetries: 0 } })
