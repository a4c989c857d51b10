/** Reads why an agent failed: the row's reason, and what that says of the account. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { CallbackError, OptionsError, PoolError, RequestError } from "../../ClientError.ts"
import { oneLine } from "../redaction/escapeControl.ts"
import { property } from "../util/json.ts"
import { tagIn } from "./journal/record.ts"
import { RowFailure } from "./errors.ts"
import { PATIENCE } from "./patience.ts"
import type { RowReason } from "./result.ts"

const MAX_MESSAGE = 2_000

export interface AgentFailure {
  readonly reason: RowReason
  /**
   * `"always"` if the provider refuses the account: other rows would meet the same. `"unless_answered"` for what may be
   * either the account's or the row's, and is the account's if no row was answered yet.
   */
  readonly refuses: "always" | "unless_answered" | undefined
  /** Requests that the failure counts. */
  readonly attempts: number
  /** True if nothing of it costs tokens: it was not processed, or was answered with an error. */
  readonly isFree: boolean
}

/** Codes of errors that are the row's own, and are counted by these names whatever the provider calls their class. */
const CODES: ReadonlySet<unknown> = new Set(["content_filter", "context_length_exceeded"])

const requestTag = (error: RequestError): string => {
  const code = property(property(error.cause, "error"), "code")
  return error.reason === "BadRequest" && CODES.has(code) ? String(code) : error.reason
}

const REFUSALS: Readonly<Record<string, AgentFailure["refuses"]>> = {
  Authentication: "always",
  QuotaExceeded: "always",
  Permission: "unless_answered",
  NotFound: "unless_answered"
}

/**
 * A wait beyond a batch's patience, such as a day's limit, or one for which nothing was sent at all: every other row would
 * fail of it at once.
 */
const isLongWait = ({ reason, retryAfter, status }: RequestError): boolean =>
  reason === "RateLimited" &&
  retryAfter !== undefined &&
  (status === undefined || Duration.toMillis(retryAfter) > PATIENCE.maxRetryAfter)

const messageOf = (error: unknown): string => {
  try {
    return oneLine(error instanceof Error ? error.message : String(error)).slice(0, MAX_MESSAGE)
  } catch {
    return "the error can't be read"
  }
}

const nameOf = (error: unknown): string => {
  const tag = property(error, "_tag")
  if (typeof tag === "string") return tag
  return error instanceof Error ? error.name : "Error"
}

const plain = (tag: string, error: unknown): AgentFailure => ({
  reason: { tag: tagIn(tag), message: messageOf(error) },
  refuses: undefined,
  attempts: 0,
  isFree: false
})

const ofError = (error: unknown): AgentFailure => {
  if (error instanceof RowFailure) {
    const { answer, detail, tag } = error
    const reason = { tag: tagIn(tag), message: oneLine(detail).slice(0, MAX_MESSAGE), answer }
    return { reason, refuses: undefined, attempts: 0, isFree: tag === "missing_column" }
  }
  if (error instanceof RequestError) {
    const { attempts, processed, reason, status } = error
    return {
      ...plain(requestTag(error), error),
      refuses: isLongWait(error) ? "always" : REFUSALS[reason],
      attempts: processed === "no" && status === undefined ? 0 : attempts,
      isFree: processed === "no" || status !== undefined
    }
  }
  if (error instanceof PoolError) {
    return { ...plain(error.reason, error), refuses: error.reason === "Capacity" ? undefined : "always", isFree: true }
  }
  if (error instanceof OptionsError) return { ...plain("OptionsError", error), refuses: "always", isFree: true }
  if (error instanceof CallbackError) return plain("CallbackError", error)
  // Errors of SDKs have ours as their cause.
  const cause = error instanceof Error ? error.cause : undefined
  if (cause instanceof RequestError || cause instanceof PoolError) return ofError(cause)
  return plain(nameOf(error), error)
}

export const failureOf = (cause: Cause.Cause<unknown>): AgentFailure => {
  const failure = Cause.failureOption(cause)
  if (Option.isSome(failure)) return ofError(failure.value)
  const defect = Cause.dieOption(cause)
  if (Option.isSome(defect)) return plain("Defect", defect.value)
  return plain("Interrupted", "the agent interrupted itself")
}
