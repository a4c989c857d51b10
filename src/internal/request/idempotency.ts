/**
 * Requests that may be sent again though they may have been worked on. Checked after a failure alone: that reads the
 * request's body.
 */
import type { PreparedRequest } from "../http/request.ts"
import { textOf } from "../quota/tokenEstimate.ts"
import { entries } from "../util/jsonScanner.ts"
import type { RetryAmbiguous } from "../config/make.ts"

/** Under this name a request's key goes out: its own, else one that all of its attempts have in common. */
export const IDEMPOTENCY_KEY = "idempotency-key"

type Question = Pick<PreparedRequest, "body" | "headers" | "method" | "path">

/** The safe methods of RFC 9110, 9.2.1. PUT and DELETE are idempotent, but a second DELETE gets a 404. */
export const isSafe = (method: string): boolean => method === "GET" || method === "HEAD" || method === "OPTIONS"

/** Paths whose POST creates nothing that lasts: `/v1/messages`, for instance, and not `/v1/threads/{id}/messages`. */
const generation = /\/(completions|embeddings|moderations|(?<!\/threads\/[^/]*\/)messages)$/

/** Responses are stored unless `store` is false, and a conversation stores its messages. */
const responses = /\/responses$/

/**
 * Reads from a body the fields that leave a lasting trace. Of a duplicate field the last counts, as it does to JSON
 * parsers.
 */
const keeping = (
  body: PreparedRequest["body"]
): { readonly store: boolean | undefined; readonly conversation: boolean } => {
  const text = textOf(body)
  let store: boolean | undefined
  let conversation = false
  entries(text, (key, at) => {
    if (key === "store") store = text.startsWith("null", at) ? undefined : !text.startsWith("false", at)
    else if (key === "conversation") conversation = !text.startsWith("null", at)
    return false
  })
  return { store, conversation }
}

/** True if a repeat costs tokens at most and changes nothing, or the caller set an Idempotency-Key. */
const isHarmless = ({ body, headers, method, path }: Question): boolean => {
  if (isSafe(method) || headers[IDEMPOTENCY_KEY] !== undefined) return true
  if (method !== "POST") return false
  const query = path.indexOf("?")
  const place = query < 0 ? path : path.slice(0, query)
  if (generation.test(place)) return keeping(body).store !== true
  if (!responses.test(place)) return false
  const { conversation, store } = keeping(body)
  return store === false && !conversation
}

/** True if it may be sent again after a response that reports a failure. */
export const afterAnswer = (question: Question, option: RetryAmbiguous): boolean =>
  option === "always" || isHarmless(question)

/** True if it may be sent again when its outcome is unknown. */
export const whenUnknown = (question: Question, option: RetryAmbiguous): boolean =>
  option === "always" || (option === "generation" && isHarmless(question))
