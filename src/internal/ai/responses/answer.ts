/** A whole answer of the Responses API as the parts of a response. */
import type * as AiError from "@effect/ai/AiError"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as Either from "effect/Either"
import * as Calls from "../calls.ts"
import * as Errors from "../errors.ts"
import { finish } from "../finish.ts"
import { object } from "../object.ts"
import { callOf, isSaid, metadata, metadataOf, reasonOf, usageOf, wordOf } from "./response.ts"

export const parts = (
  origin: Errors.Origin,
  key: string,
  said: unknown,
  options: Pick<LanguageModel.ProviderOptions, "responseFormat" | "tools">
): Either.Either<Array<Response.PartEncoded>, AiError.AiError> => {
  const malformed = (description: string) => Either.left(Errors.invalidResponse(origin, description))
  if (!isSaid(said)) return malformed("the body is not a response object")
  const all: Array<Response.PartEncoded> = [metadataOf(said)]
  const calls: Array<Calls.ProviderToolCall> = []
  let isRefused = false
  for (const item of said.output ?? []) {
    if (item.type === "function_call") calls.push(callOf(item))
    if (item.type === "reasoning") {
      const text = (item.summary ?? []).map((one) => one.text ?? "").join("\n")
      all.push({ type: "reasoning", text, metadata: metadata(key, item) })
    }
    if (item.type !== "message") continue
    for (const { refusal, text, type } of item.content ?? []) {
      if (type === "output_text" && text !== undefined && text !== "") {
        all.push({ type: "text", text: object(options.responseFormat, text), metadata: metadata(key, item) })
      }
      if (type !== "refusal" || refusal === undefined) continue
      if (options.responseFormat.type === "json") return Either.left(Errors.refused(origin, refusal))
      isRefused = true
      all.push({ type: "text", text: "", metadata: { [key]: { refusal } } })
    }
  }
  const reason = reasonOf(said, calls.length > 0, isRefused)
  return Calls.readAll(origin, all, calls, options.tools, finish(reason, wordOf(said), usageOf(said)))
}
