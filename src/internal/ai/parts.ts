/** What both ways to speak have in common of a prompt's parts. */
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Prompt from "@effect/ai/Prompt"
import * as Encoding from "effect/Encoding"

/** Text is base64 already. */
export const encoded = (data: string | Uint8Array): string =>
  typeof data === "string" ? data : Encoding.encodeBase64(data)

/** Text stays as it is: as JSON it would be a text in a text. */
export const told = (result: unknown): string =>
  typeof result === "string" ? result : (JSON.stringify(result) ?? "null")

/** What a part says to one provider alone. */
export const option = (part: { readonly options: Prompt.ProviderOptions }, key: string, name: string): unknown => {
  const options = part.options[key]
  return typeof options === "object" && options !== null ? (options as Record<string, unknown>)[name] : undefined
}

/** Whichever tool it is: the tools themselves are cut down to those of `oneOf`. */
export const choice = (choice: LanguageModel.ToolChoice<string>, only: (name: string) => object): unknown => {
  if (typeof choice === "string") return choice
  return "tool" in choice ? only(choice.tool) : (choice.mode ?? "auto")
}
