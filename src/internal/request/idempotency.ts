/**
 * What may be sent again though it may have been worked on. Looked at after a failure alone: it reads the request's body.
 */
import type { PreparedRequest } from "../http/request.ts"
import { textOf } from "../quota/tokenEstimate.ts"
import { entries } from "../util/jsonScanner.ts"
import type { RetryAmbiguous } from "../config/make.ts"

/** Under this name a request's key goes out: its own, else one that all of its attempts have in common. */
export const IDEMPOTENCY_KEY = "idempotency-key"

type Question = Pick<PreparedRequest, "body" | "headers" | "method" | "path">

/** The safe methods of RFC 9110, 9.2.1. PUT and DELETE are idempotent, but a second DELETE tells of a 404. */
export const isSafe = (method: string): boolean => method === "GET" || method === "HEAD" || method === "OPTIONS"

/** Paths whose POST makes nothing that lasts: `/v1/messages`, say, and not `/v1/threads/{id}/messages`. */
const generation = /\/(completions|embeddings|moderations|(?<!\/threads\/[^/]*\/)messages)$/

/** Responses are kept unless they are told not to be, and a conversation keeps what was said in it. */
const responses = /\/responses$/

/** What a body says of a lasting trace. Of a field that is there twice the last counts, as it does to JSON parsers. */
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

/** Whether doing it twice costs tokens at most and changes nothing, or the caller's own Idempotency-Key says so. */
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

/** Whether it may be sent again after an answer that says that it failed. */
export const afterAnswer = (question: Question, option: RetryAmbiguous): boolean =>
  option === "always" || isHarmless(question)

/** Whether it may be sent again when nobody knows what became of it. */
export const whenUnknown = (question: Question, option: RetryAmbiguous): boolean =>
  option === "always" || (option === "generation" && isHarmless(question))
