/** Reads the text of a chat's answer, or the reason why there is none that can be used. */
import { RowFailure } from "../errors.ts"

interface Choice {
  readonly finish_reason?: string | null
  readonly message?: { readonly content?: string | null; readonly refusal?: string | null }
}

const failure = (tag: string, detail: string, answer?: string | null): RowFailure =>
  new RowFailure({ tag, detail, answer: answer || undefined })

export const textOf = (answer: unknown): string | RowFailure => {
  const choices = (answer as { readonly choices?: ReadonlyArray<Choice> } | null | undefined)?.choices
  const choice = Array.isArray(choices) ? (choices[0] as Choice | undefined) : undefined
  const { content, refusal } = choice?.message ?? {}
  switch (choice?.finish_reason) {
    case "length":
      return failure("length", "the answer was cut off at its most tokens; raise max_completion_tokens", content)
    case "content_filter":
      return failure("content_filter", "the provider's content filter cut the answer off", content)
  }
  if (typeof refusal === "string" && refusal !== "") return failure("refusal", "the model refused to answer", refusal)
  if (typeof content === "string" && content !== "") return content
  return failure("empty", "the answer has no text")
}

const FENCED = /^\s*```(?:json)?\s*\n([\s\S]*?)\n\s*```\s*$/

/** The JSON in an answer, also if it is fenced as Markdown; `undefined` if there is none. */
export const jsonIn = (text: string): { readonly value: unknown } | undefined => {
  const inner = FENCED.exec(text)?.[1] ?? text
  try {
    return { value: JSON.parse(inner) as unknown }
  } catch {
    return undefined
  }
}
