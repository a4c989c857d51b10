/** One call of a tool, and its result in a response and in a prompt. */
import * as AiError from "effect/ai/AiError"
import * as Prompt from "effect/ai/Prompt"
import * as Response from "effect/ai/Response"
import type * as Tool from "effect/ai/Tool"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { encodedOf } from "../ai/jsonSchemas.ts"
import type { RunContext, ToolCalled, ToolOutcome } from "./toolCall.ts"

export interface ToolRun {
  readonly result: unknown
  readonly encodedResult: unknown
  readonly isFailure: boolean
  readonly modelOutput?: ReadonlyArray<Prompt.ToolModelOutputPart> | undefined
  readonly preliminary?: boolean
}

export const outcomeOf = ({ id, name }: Pick<ToolCalled, "id" | "name">, run: ToolRun): ToolOutcome => {
  const { encodedResult, isFailure, modelOutput, preliminary = false, result } = run
  return Response.makePart("tool-result", {
    id,
    name,
    isFailure,
    result,
    encodedResult,
    preliminary,
    ...(modelOutput !== undefined && { modelOutput }),
    providerExecuted: false
  } as never)
}

export const promptPartOf = (outcome: ToolOutcome): Prompt.ToolResultPart => {
  const { encodedResult: result, id, isFailure, modelOutput, name } = outcome
  return Prompt.makePart("tool-result", {
    id,
    name,
    isFailure,
    result,
    ...(modelOutput !== undefined && { modelOutput }),
    providerExecuted: false
  })
}

/** A tool's error as the model gets it: tagged errors have no message, unless they define one. */
export const wordsOf = (error: Error): unknown => {
  if (error.message !== "") return error.message
  return Object.keys(error).length === 0 ? error.name : { ...error }
}

/** The parameters as the tool's handler takes them, or all that is wrong with them. */
export const paramsOf = (tool: Tool.Any, params: unknown): Effect.Effect<unknown, Error> => {
  const encoded = encodedOf(tool, params)
  const decoded = Schema.decodeUnknownEffect(tool.parametersSchema as Schema.Codec<unknown>)(encoded, { errors: "all" })
  return Effect.as(decoded, encoded)
}

/** True if a person has to approve the call. */
const needsApproval = (tool: Tool.Any, { id, params }: ToolCalled, messages: RunContext["messages"]) => {
  const { needsApproval: needs, parametersSchema } = tool
  if (typeof needs !== "function") return Effect.succeed(needs === true)
  return Effect.flatMap(Schema.decodeUnknownEffect(parametersSchema as Schema.Codec<unknown>)(params), (decoded) => {
    const is = needs(decoded, { toolCallId: id, messages })
    return Effect.isEffect(is) ? is : Effect.succeed(is)
  })
}

const unapproved = (toolName: string): AiError.AiError =>
  AiError.make({
    module: "ToolLoop",
    method: `${toolName}.handle`,
    reason: new AiError.ToolConfigurationError({
      toolName,
      description: "its call needs an approval, which a tool loop does not ask for; use LanguageModel.generateText"
    })
  })

export const runTool = (
  call: ToolCalled,
  { emit, messages, toolkit: { handle, tools } }: RunContext
): Effect.Effect<ToolRun, unknown, unknown> =>
  Effect.gen(function* () {
    if (yield* needsApproval(tools[call.name]!, call, messages)) return yield* Effect.fail(unapproved(call.name))
    let last: ToolRun | undefined
    yield* Stream.runForEach(Stream.unwrap(handle(call.name, call.params as never, call.id)), (run: ToolRun) => {
      if (run.preliminary === true) return emit(outcomeOf(call, run))
      last = run
      return Effect.void
    })
    return last ?? (yield* Effect.die(`the tool '${call.name}' has no result`))
  })
