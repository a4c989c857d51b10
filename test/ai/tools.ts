/** Tools of an agent under test, one of which fails, and the model that calls them as a scripted provider says. */
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
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

/** A model's possible mistakes, then a right call, and its text at last: turns of a scripted provider. */
export const mistakes = [
  [{ name: "weather", arguments: '{"town":"Rome"}' }],
  [
    { name: "wether", arguments: "{}" },
    { name: "weather", arguments: "{" },
    { name: "clock", arguments: "" }
  ],
  [{ name: "weather", arguments: '{"city":"Atlantis"}' }],
  [{ name: "weather", arguments: rome }],
  "21 degrees"
]

/** Results of each call, in the order of its calls but for those that no tool can take, which come last in a round. */
export const assertToldOfMistakes = (told: ReadonlyArray<string>): void => {
  assert.match(told[0]!, /invalid parameters.*city/s)
  assert.strictEqual(told[1], "noon")
  assert.match(told[2]!, /unknown tool; available: weather, clock/)
  assert.match(told[3]!, /invalid JSON/)
  assert.match(told[4]!, /sunk/)
  assert.deepStrictEqual(JSON.parse(told[5]!), { degrees: 21 })
}

/** A call of both tools, and tools that wait once they run: until when both do, and how many have been ended. */
export const waiting = Effect.map(Deferred.make<void>(), (both) => {
  let running = 0
  let ended = 0
  const wait = Effect.acquireUseRelease(
    Effect.suspend(() => (++running === 2 ? Deferred.succeed(both, undefined) : Effect.void)),
    () => Effect.never,
    () => Effect.sync(() => void ended++)
  )
  return {
    turn: [
      { name: "weather", arguments: rome },
      { name: "clock", arguments: "{}" }
    ],
    handlers: toolkit.toLayer({ weather: () => wait, clock: () => wait }),
    both: Deferred.await(both),
    ended: () => ended
  }
})
