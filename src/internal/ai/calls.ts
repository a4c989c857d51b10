/** A model's tool calls, as the provider sent them and as a tool takes them. */
import * as AiError from "@effect/ai/AiError"
import type * as Response from "@effect/ai/Response"
import * as Tool from "@effect/ai/Tool"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import type { Origin } from "./errors.ts"
import * as Schemas from "./schemas.ts"
import { absent } from "./strict.ts"

/** As the provider gave it. */
export interface Asked {
  readonly id: string
  readonly name: string
  /** JSON, if the model kept to it. */
  readonly text: string
}

/** A call that no tool can take, and why. */
export interface Unusable extends Asked {
  readonly why: string
}

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

/** `why` is the reason why no tool can take the call. */
type Read = { readonly part: Response.ToolCallPartEncoded } | { readonly why: string }

export const read = ({ id, name, text }: Asked, tools: ReadonlyArray<Tool.Any>): Read => {
  const tool = tools.find((one) => one.name === name)
  if (tool === undefined) {
    const names = tools.map((one) => one.name).join(", ")
    return { why: names === "" ? "unknown tool; none is available" : `unknown tool; available: ${names}` }
  }
  try {
    // Models leave it out where there are no arguments.
    const params = text.trim() === "" ? {} : Tool.unsafeSecureJsonParse(text)
    const known = Tool.isProviderDefined(tool)
      ? params
      : absent(Schemas.jsonSchemaOf(tool.parametersSchema.ast).schema, params)
    return { part: { type: "tool-call", id, name, params: known } }
  } catch (error) {
    return { why: `its arguments are invalid JSON: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/** The parts with the calls behind them, and the end. */
export const readAll = (
  origin: Origin,
  parts: ReadonlyArray<Response.PartEncoded>,
  calls: ReadonlyArray<Asked>,
  tools: ReadonlyArray<Tool.Any>,
  finish: Response.FinishPartEncoded
): Either.Either<Array<Response.PartEncoded>, AiError.MalformedOutput> => {
  const all = [...parts]
  const bad: Array<Unusable> = []
  for (const call of calls) {
    const one = read(call, tools)
    if ("part" in one) all.push(one.part)
    else bad.push({ ...call, why: one.why })
  }
  all.push(finish)
  return bad.length === 0 ? Either.right(all) : Either.left(unusable(origin, all, bad))
}

export const unusable = (
  origin: Origin,
  parts: ReadonlyArray<Response.PartEncoded>,
  calls: ReadonlyArray<Unusable>
): AiError.MalformedOutput => {
  const cause = new UnusableCalls({ parts, calls })
  return new AiError.MalformedOutput({ ...origin, description: cause.message, cause })
}
