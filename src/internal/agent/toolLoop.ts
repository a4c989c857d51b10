/** A round of a tool loop: one answer of the model, and what the tools say to it. */
import type * as AiError from "@effect/ai/AiError"
import * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import type * as Tool from "@effect/ai/Tool"
import type * as Toolkit from "@effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Concurrency } from "effect/Types"
import * as Calls from "../ai/calls.ts"
import * as OpenTools from "./openTools.ts"
import { type Outcome, type Said } from "./transcript.ts"

export { after } from "./transcript.ts"

export type AnyToolkit = Toolkit.WithHandler<Record<string, Tool.Any>>

/** An answer. */
export interface Round {
  readonly parts: Said
  readonly text: string
  readonly finishReason: Response.FinishReason
  readonly usage: Partial<Response.Usage>
  readonly calls: ReadonlyArray<Response.ToolCallPartEncoded>
  /** What no tool can take, each of which is among the parts. */
  readonly bad: ReadonlyArray<Outcome>
}

/** A model that gets calls wrong has answered all the same. */
const mistaken = ({ calls, parts }: Calls.UnusableCalls): Round => {
  const asked = calls.map(({ id, name, text }) => ({ type: "tool-call" as const, id, name, params: text }))
  return {
    parts: [...parts, ...asked],
    text: "",
    finishReason: "tool-calls",
    usage: {},
    calls: parts.filter((part) => part.type === "tool-call"),
    bad: calls.map(({ id, name, why }) => ({ id, name, isFailure: true, result: why }))
  }
}

export const ask = (
  prompt: Prompt.Prompt,
  toolkit: AnyToolkit,
  toolChoice: LanguageModel.ToolChoice<string> | undefined
): Effect.Effect<Round, AiError.AiError, LanguageModel.LanguageModel> =>
  LanguageModel.generateText({
    prompt,
    toolkit: OpenTools.ofToolkit(toolkit),
    toolChoice: toolChoice as never,
    disableToolCallResolution: true
  }).pipe(
    Effect.map((said): Round => ({
      parts: said.content,
      text: said.text,
      finishReason: said.finishReason,
      usage: said.usage,
      calls: said.toolCalls.filter((call) => !call.providerExecuted),
      bad: []
    })),
    Effect.catchIf(
      (error) => error._tag === "MalformedOutput" && error.cause instanceof Calls.UnusableCalls,
      (error) => Effect.succeed(mistaken((error as AiError.MalformedOutput).cause as Calls.UnusableCalls))
    )
  )

interface Handling {
  readonly concurrency?: Concurrency | undefined
  readonly onToolFailure?: "return" | "fail" | undefined
}

const said = (error: unknown): unknown => {
  if (error instanceof Error) return error.message
  return typeof error === "object" || typeof error === "string" ? error : String(error)
}

const handle = (
  call: Response.ToolCallPartEncoded,
  { handle, tools }: AnyToolkit,
  onToolFailure: Handling["onToolFailure"]
): Effect.Effect<Outcome, unknown, unknown> => {
  const { id, name, params } = call
  const failed = (why: unknown): Outcome => ({ id, name, isFailure: true, result: said(why) })
  const tool = tools[name]
  if (tool === undefined) return Effect.succeed(failed(`there is no tool '${name}'`))
  const known = Schema.decodeUnknown(tool.parametersSchema as Schema.Schema<unknown>, { errors: "all" })(params)
  const run = Effect.map(handle(name, params as never), ({ encodedResult, isFailure }): Outcome => ({
    id,
    name,
    isFailure,
    result: encodedResult
  }))
  return Effect.matchEffect(known, {
    onFailure: (error) => Effect.succeed(failed(`its parameters do not fit: ${error.message}`)),
    onSuccess: () =>
      onToolFailure === "fail" ? run : Effect.catchAll(run, (error: unknown) => Effect.succeed(failed(error)))
  })
}

/** What becomes of all calls of a round, in their order. */
export const answer = (
  { bad, calls }: Round,
  toolkit: AnyToolkit,
  { concurrency = "unbounded", onToolFailure }: Handling
): Effect.Effect<ReadonlyArray<Outcome>, unknown, unknown> =>
  Effect.map(
    Effect.forEach(calls, (call) => handle(call, toolkit, onToolFailure), { concurrency }),
    (outcomes) => [...outcomes, ...bad]
  )

type Counts = Pick<Response.Usage, "inputTokens" | "outputTokens" | "totalTokens">

const names = ["inputTokens", "outputTokens", "totalTokens"] as const

export const makeUsage = () => {
  const sum: { -readonly [Name in keyof Counts]?: number } = {}
  return {
    add: (usage: Partial<Counts>): void => {
      for (const name of names) {
        const one = usage[name]
        if (one !== undefined) sum[name] = (sum[name] ?? 0) + one
      }
    },
    total: (): Counts => ({
      inputTokens: sum.inputTokens,
      outputTokens: sum.outputTokens,
      totalTokens: sum.totalTokens
    })
  }
}
