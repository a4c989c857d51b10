/** The shorter way of text without tools, against the way of `@effect/ai` that a toolkit takes. */
import * as LanguageModel from "@effect/ai/LanguageModel"
import { CurrentSpanTransformer } from "@effect/ai/Telemetry"
import * as Toolkit from "@effect/ai/Toolkit"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ClientLayer from "../../src/ClientLayer.ts"
import { recorder } from "../support/spans.ts"
import * as Scripted from "./scripted.ts"
import { model } from "./tools.ts"

/** Sees one call: its answer, its span, and what a transformer of spans gets. */
const seenOf = (ask: Effect.Effect<unknown, unknown, LanguageModel.LanguageModel>) =>
  Effect.gen(function* () {
    const { baseURL } = yield* Scripted.make("an answer of words")
    const seen = recorder()
    const transformed: Array<unknown> = []
    const answer = yield* ask.pipe(
      Effect.provide(model(baseURL)),
      Effect.provideService(CurrentSpanTransformer, ({ prompt, response }) => transformed.push(prompt, response)),
      Effect.withTracer(seen.tracer)
    )
    const spans = seen.spans.filter(({ name }) => name === "LanguageModel.generateText")
    const described = spans.map(({ attributes, exit, kind }) => [Object.fromEntries(attributes), exit?._tag, kind])
    return JSON.parse(JSON.stringify({ answer, described, transformed })) as Readonly<Record<string, unknown>>
  })

describe("text without tools", () => {
  it.live("has the answer, the span and the transformed parts of text with an empty toolkit", () =>
    Effect.gen(function* () {
      const short = yield* seenOf(LanguageModel.generateText({ prompt: "hi", toolChoice: "none" }))
      const long = yield* seenOf(
        LanguageModel.generateText({ prompt: "hi", toolChoice: "none", toolkit: Toolkit.empty })
      )
      assert.deepStrictEqual(short, long)
      assert.strictEqual((short["transformed"] as ReadonlyArray<unknown>).length, 2)
    }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()))
  )
})
