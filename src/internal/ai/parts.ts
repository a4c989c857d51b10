/** Helpers for parts of prompts and streams that both API formats share. */
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Prompt from "@effect/ai/Prompt"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Stream from "effect/Stream"

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

/** The parts of each event, as soon as it arrives, then those of `end`. */
export const streamOf = <A, B, E, E2>(
  events: Stream.Stream<A, E>,
  next: (event: A) => Effect.Effect<ReadonlyArray<B>, E2>,
  end: () => Stream.Stream<B, E2>
): Stream.Stream<B, E | E2> =>
  Stream.concat(
    Stream.flattenChunks(Stream.mapEffect(events, (event) => Effect.map(next(event), Chunk.unsafeFromArray))),
    Stream.suspend(end)
  )

/** Text is base64 already. */
export const encoded = (data: string | Uint8Array): string =>
  typeof data === "string" ? data : Encoding.encodeBase64(data)

/** Text stays as it is: as JSON it would be a text in a text. */
export const toolResult = (result: unknown): string =>
  typeof result === "string" ? result : (JSON.stringify(result) ?? "null")

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
