import * as Effect from "effect/Effect"

/** Variables that make SDKs talk, for as long as the scope is open. */
export const talkative = Effect.acquireRelease(
  Effect.sync(() => {
    const before = { ...process.env }
    Object.assign(process.env, { DEBUG: "true", OPENAI_LOG: "debug", GROQ_LOG: "debug" })
    return before
  }),
  (before) =>
    Effect.sync(() => {
      process.env = before
    })
)
