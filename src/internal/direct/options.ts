/** Options of one call, and of a request to any path of an API. */
import type * as Duration from "effect/Duration"

type Parameter = string | number | boolean | null | undefined

/**
 * Query parameters; an array is sent as `name[]`, once for each element.
 *
 * @since 0.1.0
 * @category models
 */
export type Query = Readonly<Record<string, Parameter | ReadonlyArray<Parameter>>>

/**
 * Options of one call, which go over those of its client.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallOptions {
  /** Sent beside the client's; `null` removes one of them. @default none */
  readonly headers?: Readonly<Record<string, string | null | undefined>> | undefined
  /** Sent beside the client's. @default none */
  readonly query?: Query | undefined
  /** From the request's turn to the response's headers. A number is milliseconds. @default the client's */
  readonly timeout?: Duration.DurationInput | undefined
  /** @default the client's */
  readonly maxRetries?: number | undefined
  /**
   * Sent with all attempts as `Idempotency-Key`; permits a retry although the provider may have processed the request.
   *
   * @default a generated one, which permits none
   */
  readonly idempotencyKey?: string | undefined
}

/**
 * A request to a path of the API that has no function of its own.
 *
 * @since 0.1.0
 * @category models
 */
export interface ApiRequest extends CallOptions {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE"
  /** Appended to the base URL, so it begins with "/"; segments are percent-encoded by the caller. */
  readonly path: string
  /** Sent as JSON. @default none */
  readonly body?: object | undefined
}

/**
 * Options of one call without Effect.
 *
 * @since 0.1.0
 * @category models
 */
export interface PromiseCallOptions extends CallOptions {
  /** Aborts the request, and the stream of its answer. @default none */
  readonly signal?: AbortSignal | null | undefined
}

/**
 * A request without Effect.
 *
 * @since 0.1.0
 * @category models
 */
export interface PromiseApiRequest extends ApiRequest {
  /** Aborts the request. @default none */
  readonly signal?: AbortSignal | null | undefined
}
