/**
 * The one place where our errors become those of effect/ai. Ours is the `cause` of the reason, with `processed` and
 * `retryAfter`.
 */
import * as AiError from "effect/ai/AiError"
import * as Duration from "effect/Duration"
import type { ClientError, RequestError } from "../../ClientError.ts"
import { codeIn } from "../http/errorBody.ts"
import { property } from "../util/json.ts"

/** Module and method of an error. */
export interface Origin {
  readonly module: string
  readonly method: string
}

type Reason = AiError.AiErrorReason

/** Reasons are made by schemas, most of which have no field for a cause. */
const make = (origin: Origin, reason: Reason, cause?: unknown): AiError.AiError =>
  AiError.make({
    ...origin,
    reason: cause === undefined ? reason : Object.defineProperty(reason, "cause", { value: cause, enumerable: false })
  })

const httpOf = ({ requestId, retryAfter, status }: RequestError): { http?: typeof AiError.HttpContext.Type } =>
  status === undefined
    ? {}
    : {
        http: {
          response: {
            status,
            headers: {
              ...(requestId !== undefined && { "x-request-id": requestId }),
              ...(retryAfter !== undefined && { "retry-after": String(Math.ceil(Duration.toSeconds(retryAfter))) })
            }
          }
        }
      }

/** Codes of refusals by a content filter: OpenAI's, and Azure's ("Content filtering"). */
const FILTERED: ReadonlySet<unknown> = new Set(["content_policy_violation", "content_filter"])

const ofRequest = (url: string, error: RequestError): Reason => {
  const { message: description, retryAfter, status } = error
  const http = httpOf(error)
  switch (error.reason) {
    case "RateLimited":
      return new AiError.RateLimitError({ ...http, ...(retryAfter !== undefined && { retryAfter }) })
    case "QuotaExceeded":
      return new AiError.QuotaExhaustedError(http)
    case "Authentication":
      return new AiError.AuthenticationError({ ...http, kind: "InvalidKey", description })
    case "Permission":
      return new AiError.AuthenticationError({ ...http, kind: "InsufficientPermissions", description })
    case "NotFound":
    case "BadRequest":
      if (status === 402) return new AiError.QuotaExhaustedError(http)
      return FILTERED.has(codeIn(property(error.cause, "error")))
        ? new AiError.ContentPolicyError({ ...http, description })
        : new AiError.InvalidRequestError({ ...http, description })
    case "Server":
      return new AiError.InternalProviderError({ ...http, description })
    case "Malformed":
      return new AiError.InvalidResponseError({ ...http, description })
    case "QueueTimeout":
    case "Timeout":
    case "Connection":
    case "FileDescriptors":
    case "Aborted":
      return new AiError.NetworkError({ reason: "TransportError", method: "POST", url, description })
  }
}

const reasonOf = (url: string, error: ClientError): Reason => {
  switch (error._tag) {
    case "RequestError":
      return ofRequest(url, error)
    case "OptionsError":
      return new AiError.InvalidRequestError({ parameter: error.field, description: error.message })
    default:
      return new AiError.UnknownError({ description: error.message })
  }
}

export const from = (origin: Origin, url: string, error: ClientError): AiError.AiError =>
  make(origin, reasonOf(url, error), error)

/** The response is no answer of the API. */
export const invalidResponse = (origin: Origin, description: string): AiError.AiError =>
  make(origin, new AiError.InvalidResponseError({ description }))

/** The model refused to give an object. */
export const refused = (origin: Origin, refusal: string): AiError.AiError =>
  make(origin, new AiError.ContentPolicyError({ description: `the model refused: ${refusal}` }))

/** A tool call that no tool can take; `available` has the tools' names where it names none of them. */
export interface BadCall {
  readonly name: string
  readonly why: string
  readonly available?: ReadonlyArray<string>
}

/** Some calls fit no tool; `cause` holds the answer. */
export const badCalls = (origin: Origin, first: BadCall | undefined, cause: Error): AiError.AiError =>
  make(
    origin,
    first?.available === undefined
      ? new AiError.ToolParameterValidationError({ toolName: first?.name ?? "", description: cause.message })
      : new AiError.ToolNotFoundError({ toolName: first.name, availableTools: first.available }),
    cause
  )

/** The provider does not accept a part of the prompt. */
export const unsupportedInput = (origin: Origin, description: string): AiError.AiError =>
  make(origin, new AiError.InvalidUserInputError({ description }))

/** A schema that JSON Schema can't express. */
export const unsupportedSchema = (origin: Origin, cause: unknown): AiError.AiError =>
  make(
    origin,
    new AiError.UnsupportedSchemaError({ description: `a schema can't be expressed in JSON Schema: ${String(cause)}` }),
    cause
  )

export const unknown = (origin: Origin, description: string, cause?: unknown): AiError.AiError =>
  make(origin, new AiError.UnknownError({ description }), cause)

/** The failure behind it: ours, or the calls of `badCalls`. */
export const causeOf = (error: AiError.AiError): unknown => property(error.reason, "cause")
