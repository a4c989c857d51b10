/** Reads `code` and `message` from an error body. */
import { property } from "../util/json.ts"

/** The provider's own code, such as `insufficient_quota`, in a body: OpenAI's and Groq's shape, then Cerebras's. */
export const codeIn = (body: unknown): unknown => property(property(body, "error"), "code") ?? property(body, "code")

/** The provider's message, in either shape. */
export const messageIn = (body: unknown): string | undefined => {
  const message = property(property(body, "error"), "message") ?? property(body, "message")
  return typeof message === "string" ? message : undefined
}

/** True for a body or an event that reports an error, under whatever status. */
export const reportsError = (body: unknown): boolean =>
  property(body, "error") != null || property(body, "type") === "error"
