/** The end of an answer. The provider's own finish reason is kept beside that of @effect/ai, for spans. */
import type * as Response from "@effect/ai/Response"

const words = new WeakMap<object, string>()

/** `word` is the provider's own, if it has one. */
export const finish = (
  reason: Response.FinishReason,
  word: string | null | undefined,
  usage: Response.FinishPartEncoded["usage"]
): Response.FinishPartEncoded => {
  const part: Response.FinishPartEncoded = { type: "finish", reason, usage }
  if (word != null) words.set(part, word)
  return part
}

/** The provider's own reason, of a part that `finish` made. */
export const wordOf = (part: Response.FinishPartEncoded): string => words.get(part) ?? part.reason
