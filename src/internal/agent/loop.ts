/** Rounds of a model and its tools, until it has its answer. Whole or streamed answers are up to `ask`. */
import type * as Chat from "@effect/ai/Chat"
import * as Prompt from "@effect/ai/Prompt"
import type * as Tool from "@effect/ai/Tool"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import type { Options, Result } from "../../ToolLoop.ts"
import { untold } from "../ai/tools.ts"
import { answer } from "./answers.ts"
import type { Generate, Emit } from "./round.ts"
import type { AnyToolkit } from "./toolCall.ts"
import { after } from "./transcript.ts"
import * as Usage from "./usage.ts"

/**
 * The model still called tools in the last round that it was given.
 *
 * @since 0.1.0
 * @category errors
 */
export class MaxRounds extends Data.TaggedError("MaxRounds")<{
  readonly rounds: number
  /** All messages, with the tool results last. */
  readonly transcript: Prompt.Prompt
}> {
  override get message(): string {
    return `the model called tools in all of its ${this.rounds} rounds; raise maxRounds, or tell it when to stop`
  }
}

/** That it can't be saved is no reason to lose the answer: it is logged. */
const remember = (chat: Chat.Service | Chat.Persisted, transcript: Prompt.Prompt): Effect.Effect<void> =>
  Effect.zipRight(
    Ref.set(chat.history, transcript),
    "save" in chat
      ? Effect.catchAll(chat.save, (error) => Effect.logWarning("a chat could not be saved", error))
      : Effect.void
  )

export const loop = <Tools extends Record<string, Tool.Any>, E, R>(
  options: Options<Tools, E, R>,
  ask: Generate,
  emit: Emit
): Effect.Effect<Result, unknown, unknown> =>
  Effect.gen(function* () {
    const { chat, maxRounds = 10 } = options
    // It looks tools up by any name that the model sends.
    const toolkit = untold(
      (yield* Effect.isEffect(options.toolkit)
        ? options.toolkit
        : Effect.succeed(options.toolkit)) as unknown as AnyToolkit
    )
    const before = chat === undefined ? Prompt.empty : yield* Ref.get(chat.history)
    let transcript = Prompt.merge(before, options.prompt)
    const usage = Usage.make()
    for (let round = 1; ; round++) {
      const said = yield* ask(transcript, toolkit, round === 1 ? options.toolChoice : undefined)
      usage.add(said.usage)
      const outcomes = yield* answer(said, toolkit, { ...options, messages: transcript.content }, emit)
      transcript = after(transcript, said.parts, outcomes)
      if (chat !== undefined) yield* remember(chat, transcript)
      yield* emit([{ type: "round-end", round, transcript }])
      if (outcomes.length === 0) {
        const { finishReason, text } = said
        const result = { text, finishReason, rounds: round, usage: usage.total(), transcript }
        yield* emit([{ type: "loop-end", result }])
        return result
      }
      if (round >= maxRounds) return yield* new MaxRounds({ rounds: round, transcript })
    }
  })
