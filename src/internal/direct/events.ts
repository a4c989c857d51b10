/** Formats of the events of streams: the failures that they report, and what SDKs complete in their values. */
import { property } from "../util/json.ts"

/** The parts of an API that tell how the events of its streams are read. */
export interface EventFormat {
  /** The failure that an event reports, `undefined` for none. `name` is "" for an event without one. */
  readonly failureIn: (value: unknown, name: string) => unknown
  /** Completes a value, in place. @default it is given as it came */
  readonly complete?: ((value: unknown) => void) | undefined
}

const failureIn = (value: unknown, name: string): unknown =>
  property(value, "error") || (name === "error" ? value : undefined)

type Choice = { finish_reason?: unknown } | null

/** As the SDK does: choices of a chunk that tell nothing of their end have `null` there. */
const fillFinishReason = (chunk: unknown): void => {
  const choices = property(chunk, "choices")
  if (!Array.isArray(choices)) return
  for (const choice of choices as ReadonlyArray<Choice>) {
    if (typeof choice === "object" && choice !== null && choice.finish_reason === undefined) choice.finish_reason = null
  }
}

/** groq's and cerebras's. */
export const plain: EventFormat = { failureIn }

/** openai's. */
export const filled: EventFormat = { failureIn, complete: fillFinishReason }
