/**
 * Failures of our fetch as the SDK's own errors, for those who catch by the SDK's classes. The SDKs wrap what a fetch
 * throws, and some lose it on the way; so it travels in an envelope that none of them looks into.
 */
import { PoolError, type PoolReason, RequestError, type RequestReason } from "../../ClientError.ts"
import { answerOf } from "./unsent.ts"
import { withResponse } from "../http/withResponse.ts"

type Fetch = typeof globalThis.fetch
type Failure = PoolError | RequestError

/**
 * Position of the message in an SDK's error bodies: under `error` for OpenAI and Groq, at the top for Cerebras, where
 * headers are a plain object too.
 */
export type Style = "nested" | "flat"

/** The errors that the classes of all Stainless SDKs have as statics. */
export interface Classes {
  readonly APIError: {
    new (status: undefined, error: undefined, message: string, headers: undefined): Error
    generate(status: number, body: object, message: undefined, headers: never): Error
  }
  readonly APIConnectionError: new (options: { message?: string; cause?: Error }) => Error
  readonly APIConnectionTimeoutError: new (options: { message?: string }) => Error
  readonly APIUserAbortError: new (options: { message?: string }) => Error
}

class Envelope extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    // Told in the SDK's logs.
    super(failure.message)
    this.failure = failure
  }
  /** The SDKs look for "timed out" in this text, and then drop what it was. */
  override toString(): string {
    return "Envelope"
  }
}

const seal = (error: unknown): never => {
  throw error instanceof PoolError || error instanceof RequestError ? new Envelope(error) : error
}

/** The fetch to give to an SDK whose errors `unwrap` maps. */
export const wrap = (fetch: Fetch): Fetch => withResponse((input, init) => fetch(input, init).catch(seal))

export type Translator = (failure: Failure) => Error

/** Translates our error inside an SDK's error into the one that the SDK's users know; returns all else as it is. */
export const unwrap =
  (translate: Translator) =>
  (thrown: unknown): unknown =>
    thrown instanceof Error && thrown.cause instanceof Envelope ? translate(thrown.cause.failure) : thrown

interface Marks {
  cause?: unknown
  reason?: PoolReason | RequestReason
}

/**
 * The SDK's own class for what it has one for. All else is an `APIError` of the nearest class, and says in `reason` what
 * it is. Our error is the `cause`.
 */
export const translator =
  (sdk: Classes, style: Style): Translator =>
  (failure) => {
    const error: Error & Marks = made(sdk, style, failure)
    error.cause = failure
    if (!plain.has(failure.reason) || error.constructor === sdk.APIError) error.reason = failure.reason
    return error
  }

/** The SDKs have these themselves, with words that people look for. */
const plain: ReadonlySet<PoolReason | RequestReason> = new Set([
  "Timeout",
  "Connection",
  "Aborted",
  "RateLimited",
  "Authentication"
])

const made = (sdk: Classes, style: Style, failure: Failure): Error => {
  const { message } = failure
  const answer = answerOf(failure)
  if (answer !== undefined) {
    const { error, headers, status } = answer
    const nested = style === "nested"
    const given = nested ? headers : Object.fromEntries(headers)
    return sdk.APIError.generate(status, nested ? { error } : error, undefined, given as never)
  }
  switch (failure.reason) {
    case "Timeout":
      return new sdk.APIConnectionTimeoutError({})
    case "QueueTimeout":
      return new sdk.APIConnectionTimeoutError({ message })
    case "Connection":
      return new sdk.APIConnectionError({})
    case "FileDescriptors":
    case "Malformed":
    case "BadRequest":
      return new sdk.APIConnectionError({ message })
    case "Aborted":
      return new sdk.APIUserAbortError({})
    default:
      return new sdk.APIError(undefined, undefined, message, undefined)
  }
}
