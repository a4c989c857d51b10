/** Questions to every model on every server, and their outcomes in a form that is the same for all of them. */
import type * as AiError from "@effect/ai/AiError"
import * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ToolLoop from "../../src/ToolLoop.ts"
import type { Odd, Running } from "./contractServers.ts"
import { causeOf, kindOf, statusOf, usageOf } from "./lines.ts"
import { subjects } from "./models.ts"

class Sunk extends Schema.TaggedError<Sunk>()("Sunk", { city: Schema.String }) {}

const Weather = Tool.make("weather", {
  parameters: {
    city: Schema.String,
    place: Schema.Struct({ lat: Schema.Number, lon: Schema.Number, near: Schema.Array(Schema.String) })
  },
  success: Schema.Struct({ degrees: Schema.Number, city: Schema.String, near: Schema.Number }),
  failure: Sunk
})
const Clock = Tool.make("clock", { parameters: { zone: Schema.String }, success: Schema.String })

export const toolkit = Toolkit.make(Weather, Clock)

const handlers = toolkit.toLayer({
  weather: ({ city, place }) =>
    city === "Atlantis" ? new Sunk({ city }) : Effect.succeed({ degrees: 21, city, near: place.near.length }),
  clock: ({ zone }) => Effect.succeed(`noon ${zone}`)
})

export const layers = Layer.merge(handlers, ClientLayer.layer())

/** A call of a tool that fails. */
export const atlantis = {
  name: "weather",
  arguments: JSON.stringify({ city: "Atlantis", place: { lat: 0, lon: 0, near: [] } })
}

/** The agent's result, which is the same over each layer. */
export const same = <A, E, R>(
  server: Running,
  agent: Effect.Effect<A, E, R | LanguageModel.LanguageModel>,
  odd?: Odd,
  as?: "whole" | "stream"
) =>
  Effect.gen(function* () {
    const asked = subjects.filter(({ name }) => odd !== "refusal" || !server.neverRefuses.includes(name))
    const results = yield* Effect.forEach(asked, ({ at, provider }) =>
      Effect.suspend(() => {
        if (odd !== undefined) server.next(odd, as)
        return Effect.provide(agent, at(server.baseURL(provider), { strict: true }))
      })
    )
    for (const [i, result] of results.entries()) assert.deepStrictEqual(result, results[0], asked[i]!.name)
    return results[0]!
  })

export const texts = (parts: ReadonlyArray<Response.AnyPart>) =>
  parts
    .flatMap((part) => (part.type === "text" ? [part.text] : part.type === "text-delta" ? [part.delta] : []))
    .join("")

type Failed = AiError.AiError | { readonly _tag: string; readonly cause?: unknown }

/** A field of our error behind this one, if it has such a field. */
const said = (error: Failed, field: string): unknown => {
  const cause = causeOf(error)
  return typeof cause === "object" && cause !== null && field in cause
    ? (cause as Record<string, unknown>)[field]
    : undefined
}

export const failure = (error: Failed) => ({
  kind: kindOf(error),
  status: statusOf(error),
  reason: said(error, "reason"),
  calls: said(error, "calls")
})

/** The answer, or the facts of its failure. */
const outcome = <R>(ask: Effect.Effect<object, Failed, R>): Effect.Effect<object, never, R> =>
  Effect.match(ask, { onFailure: failure, onSuccess: (came) => came })

/** An answer is the same whether it comes in parts or whole. */
const answered = (parts: ReadonlyArray<Response.AnyPart>) => ({
  text: texts(parts),
  refusal: parts.flatMap(({ metadata }) =>
    Object.values((metadata ?? {}) as Readonly<Record<string, { readonly refusal?: unknown } | null>>).flatMap(
      (of) => of?.refusal ?? []
    )
  ),
  calls: parts.flatMap((part) =>
    part.type === "tool-call" ? [{ name: part.name, params: part.params as unknown }] : []
  ),
  finish: parts.flatMap((part) =>
    part.type === "finish" ? [{ reason: part.reason, tokens: usageOf(part.usage).totalTokens }] : []
  )
})

interface Asked {
  readonly prompt: string
  readonly toolChoice?: "auto" | "none"
}

const told = ({ finishReason, rounds, text, transcript }: ToolLoop.Result) => ({
  finishReason,
  rounds,
  isSaid: text !== "",
  roles: transcript.content.map(({ role }) => role),
  told: transcript.content.flatMap((message) =>
    message.role === "tool"
      ? message.content.flatMap((part) =>
          part.type === "tool-result" ? [{ name: part.name, result: part.result }] : []
        )
      : []
  )
})

/** A tool loop, with the results of its tools or the errors reported to the model. */
export const loop = (prompt: string) => Effect.map(ToolLoop.run({ prompt, toolkit }), told)

/** Each round says at its end what it used. */
const streamedLoop = (asked: Asked) =>
  Effect.flatMap(Stream.runCollect(ToolLoop.stream({ ...asked, toolkit })), (chunk) => {
    const parts = Array.from(chunk)
    const last = parts.at(-1)
    const rounds = parts.filter(({ type }) => type === "finish").length
    return last?.type === "loop-end" && last.result.rounds === rounds
      ? Effect.succeed(told(last.result))
      : Effect.dieMessage(`the loop has ${rounds} ends of answers, and its own end is ${last?.type}`)
  })

/** The same asked of a model and of a tool loop, for whole answers and for streams. */
export const agents = (asked: Asked) => {
  const open = { ...asked, toolkit, disableToolCallResolution: true as const }
  return {
    model: {
      whole: outcome(Effect.map(LanguageModel.generateText(open), ({ content }) => answered(content))),
      stream: outcome(
        Effect.map(Stream.runCollect(LanguageModel.streamText(open)), (parts) => answered(Array.from(parts)))
      )
    },
    loop: {
      whole: outcome(Effect.map(ToolLoop.run({ ...asked, toolkit }), told)),
      stream: outcome(streamedLoop(asked))
    }
  }
}
