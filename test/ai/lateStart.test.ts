/** Calls of a model that would only wait start when their turn has come. */
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import { type Config, startsLate, type Way, ways } from "../support/lateStart.ts"

const ofModel = (config: Config, model = "m") => OpenAiModel.model(model, { client: config })

const models: Readonly<Record<string, Way>> = {
  model: (config, prompt, model) => Effect.provide(LanguageModel.generateText({ prompt }), ofModel(config, model)),
  "model stream": (config, prompt, model) =>
    Stream.runDrain(Stream.provideSomeLayer(LanguageModel.streamText({ prompt }), ofModel(config, model)))
}

const all = [...Object.values(models), ...Object.values(ways)]

for (const [name, way] of Object.entries(models)) startsLate(name, way, all)
