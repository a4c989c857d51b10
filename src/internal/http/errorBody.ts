/** Reads `code` and `message` from an error body. */

export const property = (of: unknown, name: string): unknown =>
  typeof of === "object" && of !== null ? (of as Record<string, unknown>)[name] : undefined

/** The provider's own code, such as `insufficient_quota`, in a body: OpenAI's and Groq's shape, then Cerebras's. */
export const codeIn = (body: unknown): unknown => property(property(body, "error"), "code") ?? property(body, "code")

/** The provider's message, in either shape. */
export const messageIn = (body: unknown): string | undefined => {
  const message = property(property(body, "error"), "message") ?? property(body, "message")
  return typeof message === "string" ? message : undefined
}
