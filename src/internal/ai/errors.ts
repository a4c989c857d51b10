/**
 * The one place where our errors become those of @effect/ai. Ours is the `cause`, wherever theirs has one, with
 * `processed` and `retryAfter`.
 */
import * as AiError from "@effect/ai/AiError"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { ClientError, RequestError } from "../../ClientError.ts"
import { property } from "../util/json.ts"

/** Module and method of an error. */
export interface Origin {
  readonly module: string
  readonly method: string
}

const requestOf = (url: string) => ({
  method: "POST" as const,
  url,
  urlParams: [],
  hash: Option.none(),
  headers: {}
})

const headersOf = ({ requestId, retryAfter }: RequestError): Record<string, string> => ({
  ...(requestId !== undefined && { "x-request-id": requestId }),
  ...(retryAfter !== undefined && { "retry-after": String(Math.ceil(Duration.toSeconds(retryAfter))) })
})

const ofRequest = (origin: Origin, url: string, error: RequestError): AiError.AiError => {
  const { message: description, status } = error
  if (error.reason === "Malformed") return new AiError.MalformedOutput({ ...origin, description, cause: error })
  if (status === undefined) {
    return new AiError.HttpRequestError({
      ...origin,
      reason: "Transport",
      request: requestOf(url),
      description,
      cause: error
    })
  }
  const made = new AiError.HttpResponseError({
    ...origin,
    reason: "StatusCode",
    request: requestOf(url),
    response: { status, headers: headersOf(error) },
    description
  })
  // Theirs has no field for it, and is made by a schema that drops unknown fields.
  return Object.defineProperty(made, "cause", { value: error, enumerable: false })
}

export const from = (origin: Origin, url: string, error: ClientError): AiError.AiError => {
  switch (error._tag) {
    case "RequestError":
      return ofRequest(origin, url, error)
    case "OptionsError":
      return new AiError.MalformedInput({ ...origin, description: error.message, cause: error })
    default:
      return new AiError.UnknownError({ ...origin, description: error.message, cause: error })
  }
}

/** The response is no answer of the API. */
export const invalidResponse = (origin: Origin, description: string): AiError.AiError =>
  new AiError.MalformedOutput({ ...origin, description })

/** The model refused to give an object. */
export const refused = (origin: Origin, refusal: string): AiError.AiError =>
  new AiError.MalformedOutput({ ...origin, description: `the model refused: ${refusal}` })

/** A tool call that no tool can take; `available` has the tools' names where it names none of them. */
export interface BadCall {
  readonly name: string
  readonly why: string
  readonly available?: ReadonlyArray<string>
}

/** Some calls fit no tool; `cause` holds the answer. */
export const badCalls = (origin: Origin, _first: BadCall | undefined, cause: Error): AiError.AiError =>
  new AiError.MalformedOutput({ ...origin, description: cause.message, cause })

/** The provider does not accept a part of the prompt. */
export const unsupportedInput = (origin: Origin, description: string): AiError.AiError =>
  new AiError.MalformedInput({ ...origin, description })

/** A schema that JSON Schema can't express. */
export const unsupportedSchema = (origin: Origin, cause: unknown): AiError.AiError =>
  new AiError.MalformedInput({ ...origin, description: "a schema can't be expressed in JSON Schema", cause })

export const unknown = (origin: Origin, description: string, cause?: unknown): AiError.AiError =>
  new AiError.UnknownError({ ...origin, description, ...(cause !== undefined && { cause }) })

/** The failure behind it: ours, or the calls of `badCalls`. */
export const causeOf = (error: AiError.AiError): unknown => property(error, "cause")
