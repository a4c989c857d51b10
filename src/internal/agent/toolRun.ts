/** One call of a tool, and its result in a response and in a prompt. */
import * as Prompt from "@effect/ai/Prompt"
import * as Response from "@effect/ai/Response"
import type * as Tool from "@effect/ai/Tool"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { RunContext, ToolCalled, ToolOutcome } from "./toolCall.ts"

export interface ToolRun {
  readonly result: unknown
  readonly encodedResult: unknown
  readonly isFailure: boolean
}

export const outcomeOf = ({ id, name }: Pick<ToolCalled, "id" | "name">, run: ToolRun): ToolOutcome => {
  const { encodedResult, isFailure, result } = run
  return Response.makePart("tool-result", {
    id,
    name,
    isFailure,
    result,
    encodedResult,
    providerExecuted: false
  } as never)
}

export const promptPartOf = ({ encodedResult: result, id, isFailure, name }: ToolOutcome): Prompt.ToolResultPart =>
  Prompt.makePart("tool-result", { id, name, isFailure, result, providerExecuted: false })

/** A tool's error as the model gets it. */
export const wordsOf = ({ message }: Error): unknown => message

/** The parameters as the tool's handler takes them, or all that is wrong with them. */
export const paramsOf = (tool: Tool.Any, params: unknown): Effect.Effect<unknown, Error> =>
  Effect.as(Schema.decodeUnknown(tool.parametersSchema as Schema.Schema<unknown>, { errors: "all" })(params), params)

export const runTool = (
  { name, params }: ToolCalled,
  { toolkit }: RunContext
): Effect.Effect<ToolRun, unknown, unknown> => toolkit.handle(name, params as never)
