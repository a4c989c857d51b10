/** Calls of a model that would only wait start when their turn has come. */
import * as LanguageModel from "@effect/ai/LanguageModel"
import { describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import {
  type Config,
  configOf,
  CROWD,
  held,
  MOST_STARTED,
  names,
  run,
  SOCKETS,
  startsLate,
  waiting,
  warm,
  type Way,
  ways
} from "../support/lateStart.ts"
import { serveHolding } from "../support/holding.ts"
import { recorder } from "../support/spans.ts"

const ofModel = (config: Config, model = "m") => OpenAiModel.model(model, { client: config })

const models: Readonly<Record<string, Way>> = {
  model: (config, prompt, model) => Effect.provide(LanguageModel.generateText({ prompt }), ofModel(config, model)),
  "model stream": (config, prompt, model) =>
    Stream.runDrain(Stream.provideSomeLayer(LanguageModel.streamText({ prompt }), ofModel(config, model)))
}

const all = [...Object.values(models), ...Object.values(ways)]

for (const [name, way] of Object.entries(models)) startsLate(name, way, all)

/** Spans that a call of a model has, above those of its requests. */
const SPANS = ["LanguageModel.generateText", "chat m"]

/** A crowd in line for sockets that are all busy. */
const crowd = Effect.gen(function* () {
  const server = yield* serveHolding
  const config = yield* configOf(server)
  yield* warm(config)
  const seen = recorder()
  const fibers = yield* Effect.forEach(names(CROWD), (prompt) =>
    Effect.fork(Effect.withTracer(models["model"]!(config, prompt), seen.tracer))
  )
  yield* held(server, SOCKETS)
  yield* waiting
  const inLine = yield* Clock.currentTimeNanos
  const spans = (name: string) => seen.spans.filter((span) => span.name === name)
  for (const name of SPANS) assert.isAtMost(spans(name).length, MOST_STARTED)
  return { fibers, server, spans, inLine }
})

describe("a call of a model that waits in line", () => {
  it.live("makes its spans when its turn has come, as of the call", () =>
    run(
      Effect.gen(function* () {
        const { fibers, inLine, server, spans } = yield* crowd
        server.open()
        yield* Fiber.joinAll(fibers)
        for (const name of SPANS) {
          const all = spans(name)
          assert.lengthOf(all, CROWD)
          for (const { exit, startTime } of all) {
            assert.isTrue(startTime < inLine)
            assert.isTrue(exit !== undefined && Exit.isSuccess(exit))
          }
        }
      })
    )
  )

  it.live("has the same spans if it is interrupted there", () =>
    run(
      Effect.gen(function* () {
        const { fibers, inLine, spans } = yield* crowd
        yield* Fiber.interruptAll(fibers)
        for (const name of SPANS) {
          const all = spans(name)
          assert.lengthOf(all, CROWD)
          for (const { attributes, exit, startTime } of all) {
            assert.isTrue(startTime < inLine)
            assert.isTrue(exit !== undefined && Exit.isInterrupted(exit))
            if (name === "chat m") assert.strictEqual(attributes.get("error.type"), "interrupted")
          }
        }
        const parents = new Set(spans(SPANS[0]!).map(({ id }) => id))
        for (const { parent } of spans(SPANS[1]!)) assert.isTrue(parents.has(parent!))
      })
    )
  )
})
