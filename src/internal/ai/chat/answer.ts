/** A whole answer of `chat.completions` as the parts of a response. */
import type * as AiError from "@effect/ai/AiError"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as Either from "effect/Either"
import * as Calls from "../calls.ts"
import * as Errors from "../errors.ts"
import { finish } from "../finish.ts"
import { object } from "../object.ts"
import { argumentsOf, contentOf, isSaid, metadataOf, reasoningOf, reasonOf, usageOf } from "./response.ts"

export const parts = (
  origin: Errors.Origin,
  key: string,
  said: unknown,
  options: Pick<LanguageModel.ProviderOptions, "responseFormat" | "tools">
): Either.Either<Array<Response.PartEncoded>, AiError.AiError> => {
  const malformed = (description: string) => Either.left(Errors.invalidResponse(origin, description))
  if (!isSaid(said)) return malformed("the response is not a chat completion")
  const choice = said.choices?.[0]
  const message = choice?.message
  if (choice === undefined || message == null) return malformed("the chat completion has no choices")
  const { refusal, tool_calls } = message
  const calls = (tool_calls ?? []).map((call, i) => ({
    id: call.id || `call_${i}`,
    name: call.function?.name ?? "",
    text: argumentsOf(call)
  }))
  const all: Array<Response.PartEncoded> = [metadataOf(said)]
  const reasoning = reasoningOf(message)
  if (reasoning !== "") all.push({ type: "reasoning", text: reasoning })
  const isRefused = typeof refusal === "string" && refusal !== ""
  if (isRefused) {
    if (options.responseFormat.type === "json") return Either.left(Errors.refused(origin, refusal))
    all.push({ type: "text", text: "", metadata: { [key]: { refusal } } })
  }
  const content = contentOf(message)
  if (content !== "") all.push({ type: "text", text: object(options.responseFormat, content) })
  const reason = isRefused ? "content-filter" : reasonOf(choice.finish_reason, calls.length > 0)
  return Calls.readAll(origin, all, calls, options.tools, finish(reason, choice.finish_reason, usageOf(said)))
}
