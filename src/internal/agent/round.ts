/** One answer of the model, whole or streamed: its text and its tool calls. */
import type * as AiError from "@effect/ai/AiError"
import * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Prompt from "@effect/ai/Prompt"
import * as Response from "@effect/ai/Response"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LoopEnd, RoundEnd } from "../../ToolLoop.ts"
import * as Calls from "../ai/calls.ts"
import * as Decoded from "../ai/decoded.ts"
import * as Errors from "../ai/errors.ts"
import { countsOf } from "../ai/usage.ts"
import type { Counts } from "../ai/usageCounts.ts"
import { Gathered } from "./gathered.ts"
import * as OpenTools from "./openTools.ts"
import type { AnyToolkit } from "./toolCall.ts"
import type { ResponseParts } from "./transcript.ts"

export interface Round {
  readonly parts: ResponseParts
  readonly text: string
  readonly finishReason: Response.FinishReason
  readonly usage: Partial<Counts>
  readonly calls: ReadonlyArray<Called>
  /** Calls that no tool can take; each is among the parts. */
  readonly bad: ReadonlyArray<Calls.Unusable>
}

type Called = Extract<ResponseParts[number], { readonly type: "tool-call" }>

export type Generate = (
  prompt: Prompt.Prompt,
  toolkit: AnyToolkit,
  toolChoice: LanguageModel.ToolChoice<string> | undefined
) => Effect.Effect<Round, AiError.AiError, unknown>

/** Receives parts as they come; it may apply backpressure. */
export type Emit = (parts: Iterable<Response.AnyPart | RoundEnd | LoopEnd>) => Effect.Effect<unknown>

const made = (parts: ResponseParts, bad: Round["bad"] = []): Round => {
  const calls = parts.filter((part) => part.type === "tool-call" && part.providerExecuted !== true) as Array<Called>
  const finish = parts.findLast((part) => part.type === "finish")
  return {
    parts: bad.length === 0 ? parts : [...parts, ...bad.map(asked)],
    text: parts.map((part) => (part.type === "text" ? part.text : "")).join(""),
    finishReason: finish?.reason ?? "unknown",
    usage: finish === undefined ? {} : countsOf(finish.usage),
    calls,
    bad
  }
}

/** Its parameters are passed on as the model sent them. */
const asked = ({ id, name, text }: Calls.Unusable) =>
  Response.makePart("tool-call", { id, name, params: text, providerExecuted: false })

/** A model that gets calls wrong has answered all the same. */
const unusable = (error: AiError.AiError): Calls.UnusableCalls | undefined => {
  const cause = Errors.causeOf(error)
  return cause instanceof Calls.UnusableCalls ? cause : undefined
}

const request = (...[prompt, toolkit, toolChoice]: Parameters<Generate>) => ({
  prompt,
  toolkit: OpenTools.ofToolkit(toolkit),
  toolChoice: toolChoice as never,
  disableToolCallResolution: true as const
})

export const whole: Generate = (...of) =>
  LanguageModel.generateText(request(...of)).pipe(
    Effect.map(({ content }) => made(content)),
    Effect.catchAll((error) => {
      const cause = unusable(error)
      return cause === undefined ? Effect.fail(error) : Effect.succeed(made(cause.parts, cause.calls))
    })
  )

/** Other models report it in a part; ours fail. */
const failed = (cause: unknown): Effect.Effect<never, AiError.AiError> =>
  Effect.fail(Errors.unknown({ module: "ToolLoop", method: "stream" }, "the model's stream failed", cause))

export const streamed =
  (emit: Emit): Generate =>
  (...of) =>
    Effect.suspend(() => {
      const gathered = new Gathered()
      return LanguageModel.streamText(request(...of)).pipe(
        Stream.runForEachChunk((chunk) => {
          for (const part of chunk) {
            if (part.type === "error") return failed(part.error)
            gathered.add(part)
          }
          return emit(chunk)
        }),
        Effect.map(() => made(gathered.parts)),
        Effect.catchAll((error) => {
          const cause = unusable(error)
          if (cause === undefined) return Effect.fail(error)
          const rest = cause.parts.map(Decoded.part).filter((part) => part?.type === "finish")
          const round = made([...gathered.parts, ...rest], cause.calls)
          return Effect.as(emit([...cause.calls.map(asked), ...rest]), round)
        })
      )
    })
