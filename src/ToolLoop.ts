/**
 * A model that calls tools until it has its answer: bounded rounds, concurrent tools that can be interrupted. Mistakes
 * of the model (invalid parameters, an unknown tool) are reported to it, so that it can correct them.
 *
 * It runs on whatever `LanguageModel` there is, and gives its answer whole (`run`) or as it comes (`stream`). Interruption
 * leaves nothing running: no request, no tool, no lease.
 *
 * @example
 * ```ts
 * import * as Tool from "@effect/ai/Tool"
 * import * as Toolkit from "@effect/ai/Toolkit"
 * import * as ToolLoop from "clientele/ToolLoop"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * const Weather = Tool.make("weather", {
 *   description: "the weather in a city",
 *   parameters: { city: Schema.String },
 *   success: Schema.Struct({ degrees: Schema.Number })
 * })
 *
 * const toolkit = Toolkit.make(Weather)
 *
 * export const main = ToolLoop.run({ prompt: "Is it warmer in Rome or in Oslo?", toolkit }).pipe(
 *   Effect.map(({ text }) => text),
 *   Effect.provide(toolkit.toLayer({ weather: ({ city }) => Effect.succeed({ degrees: city.length }) }))
 * )
 * ```
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import type * as AiError from "@effect/ai/AiError"
import type * as Chat from "@effect/ai/Chat"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import type * as Tool from "@effect/ai/Tool"
import type * as Toolkit from "@effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Mailbox from "effect/Mailbox"
import * as Stream from "effect/Stream"
import type { Concurrency } from "effect/Types"
import { loop, type MaxRounds } from "./internal/agent/loop.ts"
import * as Round from "./internal/agent/round.ts"
import type { Counts } from "./internal/ai/usageCounts.ts"

export { MaxRounds } from "./internal/agent/loop.ts"

/**
 * Options of a loop: its prompt, its tools and its limits.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<Tools extends Record<string, Tool.Any>, E = never, R = never> {
  readonly prompt: Prompt.RawInput
  readonly toolkit: Toolkit.WithHandler<Tools> | Effect.Effect<Toolkit.WithHandler<Tools>, E, R>
  /** Answers of the model, the last included. @default 10 */
  readonly maxRounds?: number | undefined
  /** Tools that run at the same time. @default "unbounded" */
  readonly concurrency?: Concurrency | undefined
  /**
   * Handling of a failed tool: `"return"` reports the failure to the model, `"fail"` fails the loop with the tool's
   * error. A tool of failure mode `"return"` never fails. A defect always ends the loop.
   *
   * @default "return"
   */
  readonly onToolFailure?: "return" | "fail" | undefined
  /** Tool choice of the first round; later ones use `"auto"`. @default "auto" */
  readonly toolChoice?: LanguageModel.ToolChoice<Extract<keyof Tools, string>> | undefined
  /**
   * A conversation that goes on: it is read before the first round, and written after each; one that is persisted is
   * saved then. One loop at a time.
   *
   * @default none: each loop begins anew
   */
  readonly chat?: Chat.Service | Chat.Persisted | undefined
}

/**
 * Result of a loop.
 *
 * @since 0.1.0
 * @category models
 */
export interface Result {
  /** The last answer's. */
  readonly text: string
  readonly finishReason: Response.FinishReason
  readonly rounds: number
  /** Sum over all rounds; a count that no round reported is `undefined`. */
  readonly usage: Counts
  /** All messages, the prompt first. */
  readonly transcript: Prompt.Prompt
}

/**
 * The end of a round: the model has answered, and so have its tools. Its own `finish` part, with its usage, came before
 * its tools' results.
 *
 * @since 0.1.0
 * @category models
 */
export interface RoundEnd {
  readonly type: "round-end"
  /** From 1. */
  readonly round: number
  /** All messages until now, the prompt first. */
  readonly transcript: Prompt.Prompt
}

/**
 * The last part of all: what `run` would have given.
 *
 * @since 0.1.0
 * @category models
 */
export interface LoopEnd {
  readonly type: "loop-end"
  readonly result: Result
}

type Succeeded<Tools extends Record<string, Tool.Any>> = {
  [Name in keyof Tools]: Name extends string ? Response.ToolResultSuccess<Name, Tool.Success<Tools[Name]>> : never
}[keyof Tools]

/**
 * Parts of a loop's stream, in order of occurrence: the model's own parts, whose ids are of one round each; each tool's
 * result, as soon as it is there; the end of each round, and of the loop.
 *
 * @since 0.1.0
 * @category models
 */
export type Part<Tools extends Record<string, Tool.Any>> =
  | Response.StreamPart<Record<never, never>>
  /** As the model sent it: any name, and parameters that may be invalid; text, if they are not JSON. */
  | Response.ToolCallPart<string, unknown>
  | Succeeded<Tools>
  /** `encodedResult` is sent to the model; `result` is the tool's error, or describes what is wrong with the call. */
  | Response.ToolResultFailure<string, unknown>
  | RoundEnd
  | LoopEnd

type Failure<Tools extends Record<string, Tool.Any>, E> =
  | AiError.AiError
  | MaxRounds
  | Tool.HandlerError<Tools[keyof Tools]>
  | E

type Requirements<Tools extends Record<string, Tool.Any>, R> =
  | LanguageModel.LanguageModel
  | Tool.Requirements<Tools[keyof Tools]>
  | R

/**
 * Fails with the AiError of a failed model call, with `MaxRounds`, and, if `onToolFailure` is `fail`, with a tool's own
 * failure.
 *
 * @since 0.1.0
 * @category constructors
 */
export const run = <Tools extends Record<string, Tool.Any>, E = never, R = never>(
  options: Options<Tools, E, R>
): Effect.Effect<Result, Failure<Tools, E>, Requirements<Tools, R>> =>
  loop(options, Round.whole, () => Effect.void) as never

/** Most parts that wait for their consumer. */
const MAX_BUFFERED_PARTS = 16

/**
 * The same loop as it goes: each part as soon as the server sent it, or a tool gave it. It has the options, the bounds and
 * the transcript of `run`, and fails as `run` does, behind the parts that came before. Tools run once the answer that
 * calls them is whole.
 *
 * Who takes no more parts keeps the loop waiting, and its server: a few parts are made in advance. When the stream ends,
 * however it does, nothing of the loop is left running.
 *
 * @example
 * ```ts
 * import * as Tool from "@effect/ai/Tool"
 * import * as Toolkit from "@effect/ai/Toolkit"
 * import * as ToolLoop from "clientele/ToolLoop"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 * import * as Stream from "effect/Stream"
 *
 * const Clock = Tool.make("clock", { success: Schema.String })
 *
 * const toolkit = Toolkit.make(Clock)
 *
 * export const main = ToolLoop.stream({ prompt: "What time is it?", toolkit }).pipe(
 *   Stream.runForEach((part) => {
 *     switch (part.type) {
 *       case "text-delta":
 *         return Effect.sync(() => process.stdout.write(part.delta))
 *       case "tool-result":
 *         return Effect.log(`${part.name} says ${part.encodedResult}`)
 *       case "loop-end":
 *         return Effect.log(`after ${part.result.rounds} rounds`)
 *       default:
 *         return Effect.void
 *     }
 *   }),
 *   Effect.provide(toolkit.toLayer({ clock: () => Effect.succeed("noon") }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const stream = <Tools extends Record<string, Tool.Any>, E = never, R = never>(
  options: Options<Tools, E, R>
): Stream.Stream<Part<Tools>, Failure<Tools, E>, Requirements<Tools, R>> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const parts = yield* Mailbox.make<unknown, unknown>(MAX_BUFFERED_PARTS)
      const emit: Round.Emit = (some) => parts.offerAll(some)
      yield* Effect.forkScoped(Mailbox.into(loop(options, Round.streamed(emit), emit), parts))
      return Mailbox.toStream(parts)
    })
  ) as never
