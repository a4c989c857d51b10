/** Helpers for parts of prompts and streams that both API formats share. */
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Prompt from "@effect/ai/Prompt"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import { outputOf } from "./toolOutput.ts"

/** All of them, or the first that is refused. Plain, as this is the path of every call. */
export const each = <A, B, E>(
  all: ReadonlyArray<A>,
  f: (one: A, index: number) => Either.Either<B, E>
): Either.Either<Array<B>, E> => {
  const made: Array<B> = []
  for (const [i, one] of all.entries()) {
    const result = f(one, i)
    if (Either.isLeft(result)) return Either.left(result.left)
    made.push(result.right)
  }
  return Either.right(made)
}

/** As an effect, which an Either is in one of Effect's majors alone. */
export const effectOf = <A, E>(result: Either.Either<A, E>): Effect.Effect<A, E> =>
  Either.isLeft(result) ? Effect.fail(result.left) : Effect.succeed(result.right)

/** Text is base64 already. */
export const encoded = (data: string | Uint8Array): string =>
  typeof data === "string" ? data : Encoding.encodeBase64(data)

/** Text stays as it is: as JSON it would be a text in a text. */
export const toolResult = (part: Prompt.ToolResultPart): string => {
  const output = outputOf(part)
  return typeof output === "string" ? output : (JSON.stringify(output) ?? "null")
}

/**
 * A call's parameters as the model sent them, to be sent back. Anything but an object is wrapped in one: servers that
 * run models' own templates (vLLM, SGLang, llama.cpp) take nothing else in a history, and would refuse all later
 * requests.
 */
export const argued = (params: unknown): string => {
  if (params === undefined || params === null) return "{}"
  const isObject = typeof params === "object" && !Array.isArray(params)
  return JSON.stringify(isObject ? params : { malformed: params })
}

/** A part's option for one provider. */
export const option = (part: { readonly options: Prompt.ProviderOptions }, key: string, name: string): unknown => {
  const options = part.options[key]
  return typeof options === "object" && options !== null ? (options as Record<string, unknown>)[name] : undefined
}

/** Whichever tool it is: the tools themselves are cut down to those of `oneOf`. */
export const choice = (choice: LanguageModel.ToolChoice<string>, only: (name: string) => object): unknown => {
  if (typeof choice === "string") return choice
  return "tool" in choice ? only(choice.tool) : (choice.mode ?? "auto")
}
