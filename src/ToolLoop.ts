/**
 * A model that calls tools until it has its answer: rounds that are bounded, tools that run at the same time and can be
 * interrupted. What the model gets wrong (bad parameters, a tool that does not exist) it is told, and may do better.
 *
 * It runs on whatever `LanguageModel` there is. Interruption leaves nothing running: no request, no tool, no lease.
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
import type * as AiError from "@effect/ai/AiError"
import type * as Chat from "@effect/ai/Chat"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import type * as Tool from "@effect/ai/Tool"
import type * as Toolkit from "@effect/ai/Toolkit"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import type { Concurrency } from "effect/Types"
import * as internal from "./internal/agent/toolLoop.ts"

/**
 * The model still called tools in the last round that it was given.
 *
 * @since 0.1.0
 * @category errors
 */
export class MaxRounds extends Data.TaggedError("MaxRounds")<{
  readonly rounds: number
  /** All that was said, with what the tools gave last. */
  readonly transcript: Prompt.Prompt
}> {
  override get message(): string {
    return `the model called tools in all of its ${this.rounds} rounds; raise maxRounds, or tell it when to stop`
  }
}

/**
 * What is asked, and of whom.
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
   * What becomes of a tool that fails: the model is told, or the loop fails with what the tool failed with. A tool of
   * failure mode `"return"` never fails. A defect is nobody's answer: it ends the loop.
   *
   * @default "return"
   */
  readonly onToolFailure?: "return" | "fail" | undefined
  /** Of the first round; later ones are `"auto"`. @default "auto" */
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
 * What came of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Result {
  /** The last answer's. */
  readonly text: string
  readonly finishReason: Response.FinishReason
  readonly rounds: number
  /** Of all rounds together; absent where no round said it. */
  readonly usage: Pick<Response.Usage, "inputTokens" | "outputTokens" | "totalTokens">
  /** All that was said, the prompt first. */
  readonly transcript: Prompt.Prompt
}

/**
 * Fails with an AiError if the model can't be asked, with `MaxRounds`, and, where `onToolFailure` says so, with a tool's
 * own failure.
 *
 * @since 0.1.0
 * @category constructors
 */
export const run = <Tools extends Record<string, Tool.Any>, E = never, R = never>(
  options: Options<Tools, E, R>
): Effect.Effect<
  Result,
  AiError.AiError | MaxRounds | Tool.HandlerError<Tools[keyof Tools]> | E,
  LanguageModel.LanguageModel | Tool.Requirements<Tools[keyof Tools]> | R
> =>
  Effect.gen(function* () {
    const { chat, maxRounds = 10 } = options
    // The loop looks tools up by whatever name the model says.
    const toolkit = (yield* Effect.isEffect(options.toolkit)
      ? options.toolkit
      : Effect.succeed(options.toolkit)) as unknown as internal.AnyToolkit
    const before = chat === undefined ? Prompt.empty : yield* Ref.get(chat.history)
    let transcript = Prompt.merge(before, options.prompt)
    const usage = internal.makeUsage()
    for (let rounds = 1; ; rounds++) {
      const round = yield* internal.ask(transcript, toolkit, rounds === 1 ? options.toolChoice : undefined)
      usage.add(round.usage)
      const outcomes = yield* internal.answer(round, toolkit, options)
      transcript = internal.after(transcript, round.parts, outcomes)
      if (chat !== undefined) yield* remember(chat, transcript)
      if (outcomes.length === 0) {
        return { text: round.text, finishReason: round.finishReason, rounds, usage: usage.total(), transcript }
      }
      if (rounds >= maxRounds) return yield* new MaxRounds({ rounds, transcript })
    }
  }) as never

/** That it can't be saved is no reason to lose the answer: it is logged. */
const remember = (chat: Chat.Service | Chat.Persisted, transcript: Prompt.Prompt): Effect.Effect<void> =>
  Effect.zipRight(
    Ref.set(chat.history, transcript),
    "save" in chat
      ? Effect.catchAll(chat.save, (error) => Effect.logWarning("a chat could not be saved", error))
      : Effect.void
  )
