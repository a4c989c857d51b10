/**
 * A test of an agent, without a network: a property that holds for whatever rows, and that nothing is left behind.
 *
 *     npx vitest run examples/kit.test.ts
 */
import * as LanguageModel from "@effect/ai/LanguageModel"
import { assert, it } from "@effect/vitest"
import * as Agent from "clientele/Agent"
import * as GroqModel from "clientele/GroqModel"
import * as ClientMapTest from "clientele/testing/ClientMapTest"
import { leakCheck } from "clientele/testing/leakCheck"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Redacted from "effect/Redacted"

const client = { apiKey: Redacted.make("any"), maxRetries: 2 }

const judge = Agent.make({
  name: "judge",
  run: (row: string) =>
    LanguageModel.generateText({ prompt: row }).pipe(
      Effect.map(({ text }) => text === "yes"),
      Effect.provide(GroqModel.model("any", { client }))
    )
})

/** Fails the first request with 503; later requests, and its retry, succeed. */
const provider = ClientMapTest.layer({
  script: ({ index }) => (index === 0 ? ClientMapTest.error(503) : ClientMapTest.text("yes"))
})

it.live.prop(
  "answers every row, whatever they are and however many",
  [FastCheck.array(FastCheck.string())],
  ([rows]) =>
    Effect.gen(function* () {
      const results = yield* Effect.forEach(rows, judge, { concurrency: "unbounded" })
      assert.deepStrictEqual(
        results,
        rows.map(() => true)
      )
    }).pipe(Effect.provide(provider), leakCheck, Effect.asVoid),
  { fastCheck: { numRuns: 5 } }
)
