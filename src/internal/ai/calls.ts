/** A model's tool calls, as the provider sent them and as a tool takes them. */
import type * as AiError from "@effect/ai/AiError"
import type * as Response from "@effect/ai/Response"
import * as Tool from "@effect/ai/Tool"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as Errors from "./errors.ts"
import * as Schemas from "./schemas.ts"

/** As the provider gave it. */
export interface ProviderToolCall {
  readonly id: string
  readonly name: string
  /** JSON, if the model kept to it. */
  readonly text: string
}

/** A call that no tool can take, and why. */
export interface Unusable extends ProviderToolCall, Errors.BadCall {}

/**
 * Cause of a `MalformedOutput`: some calls of the response fit no tool. It holds the whole response, so that a tool
 * loop can report them to the model and go on; of a stream, the parts not emitted yet.
 */
export class UnusableCalls extends Data.TaggedError("UnusableCalls")<{
  readonly parts: ReadonlyArray<Response.PartEncoded>
  readonly calls: ReadonlyArray<Unusable>
}> {
  override get message(): string {
    return this.calls.map(({ name, why }) => `the model called '${name}': ${why}`).join("; ")
  }
}

/** The call as a part, or the reason why no tool can take it. */
type Read = { readonly part: Response.ToolCallPartEncoded } | { readonly bad: Unusable }

export const read = (call: ProviderToolCall, tools: ReadonlyArray<Tool.Any>): Read => {
  const { id, name, text } = call
  const tool = tools.find((one) => one.name === name)
  if (tool === undefined) {
    const available = tools.map((one) => one.name)
    const which = available.length === 0 ? "none is available" : `available: ${available.join(", ")}`
    return { bad: { ...call, available, why: `unknown tool; ${which}` } }
  }
  try {
    // Models leave it out where there are no arguments.
    const params = text.trim() === "" ? {} : Tool.unsafeSecureJsonParse(text)
    const known = Tool.isProviderDefined(tool) ? params : Schemas.paramsOf(tool, params)
    return { part: { type: "tool-call", id, name, params: known } }
  } catch (error) {
    const why = `its arguments are invalid JSON: ${error instanceof Error ? error.message : String(error)}`
    return { bad: { ...call, why } }
  }
}

/** The parts with the calls behind them, and the end. */
export const readAll = (
  origin: Errors.Origin,
  parts: ReadonlyArray<Response.PartEncoded>,
  calls: ReadonlyArray<ProviderToolCall>,
  tools: ReadonlyArray<Tool.Any>,
  finish: Response.FinishPartEncoded
): Either.Either<Array<Response.PartEncoded>, AiError.AiError> => {
  const all = [...parts]
  const bad: Array<Unusable> = []
  for (const call of calls) {
    const one = read(call, tools)
    if ("part" in one) all.push(one.part)
    else bad.push(one.bad)
  }
  all.push(finish)
  return bad.length === 0 ? Either.right(all) : Either.left(unusable(origin, all, bad))
}

export const unusable = (
  origin: Errors.Origin,
  parts: ReadonlyArray<Response.PartEncoded>,
  calls: ReadonlyArray<Unusable>
): AiError.AiError => Errors.badCalls(origin, calls[0], new UnusableCalls({ parts, calls }))
