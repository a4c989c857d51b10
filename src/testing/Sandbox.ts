/**
 * A provider to develop and test against: a real server on this machine with the chat, embedding, model and file
 * APIs of OpenAI, Azure OpenAI, Groq and Cerebras, and Anthropic's messages, over HTTP/1.1 and HTTP/2, with and without
 * TLS. There is no model behind it: answers are determined by the prompt and are the same each time.
 *
 * It counts sockets, streams, requests by key and aborts, enforces rate limits like the real ones, which may change while
 * it runs, as may the accepted keys, and fails on demand, by script or by a request's own headers:
 *
 * - `x-sandbox-latency: 500`, `x-sandbox-time-per-token: 10`: milliseconds, instead of the options
 * - `x-sandbox-fault: status=503` (also `status=429,insufficient_quota`, `resetBeforeHeaders=7`, `resetMidBody=100`, `stall=headers`, `stall=body,500`,
 *   `garbage=json`, `garbage=protocol`, `slowDrip=10,50`, `truncate=10`, `goAway`)
 * - `x-sandbox-provider: cerebras`: the provider whose formats to use, where path and User-Agent do not determine it
 *
 * Other processes find the counts at `GET /__sandbox/stats` and start them anew with `POST /__sandbox/reset`. They change
 * the rate limit with `POST /__sandbox/limit` (a `RateLimit` as JSON, times in ms, or `null`) and the known keys with
 * `POST /__sandbox/api-keys` (an array, or `null`). These requests are not counted, though their connections are, if they
 * come to the main port: `controlPort` has its own.
 *
 * One rule for tokens: a prompt has one for every four characters of its texts, rounded up; an answer has one for every
 * word of prose and for every four characters of JSON. A stream sends a token an event.
 *
 * @since 0.1.0
 */
import "../internal/needs-effect-3/run-npm-install-effect@3.ts"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as counters from "../internal/sandbox/counters.ts"
import type { Faults, Options, ProviderName, RateLimit, Stats, Upload } from "../internal/sandbox/model.ts"
import * as server from "../internal/sandbox/server.ts"
import { certificate } from "../internal/sandbox/certificate.ts"

export type {
  ConnectionStats,
  Fault,
  FaultMatch,
  FaultRule,
  Faults,
  Options,
  ProviderName,
  RateLimit,
  RequestLog,
  Stats,
  Upload
} from "../internal/sandbox/model.ts"

/**
 * The sandbox could not start: most often its port is taken.
 *
 * @since 0.1.0
 * @category errors
 */
export class SandboxError extends Data.TaggedError("SandboxError")<{
  readonly address: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `the sandbox can't listen at ${this.address}: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/**
 * A running sandbox.
 *
 * @since 0.1.0
 * @category models
 */
export interface Sandbox {
  /** For instance `http://127.0.0.1:41234`. */
  readonly origin: string
  readonly port: number
  /** The authority that clients must trust, as PEM. */
  readonly ca: string
  /**
   * Certificate of a client for a sandbox with `requestClientCert`, as PEM. Its key is public in this
   * package: for tests on this machine alone.
   */
  readonly clientCertificate: { readonly cert: string; readonly key: string }
  /** Origin of the statistics, if `controlPort` was given. */
  readonly controlOrigin: string | undefined
  /** The `baseURL` for a provider's SDK (Azure: `endpoint`). */
  readonly baseURL: (provider: ProviderName) => string
  readonly stats: () => Stats
  /** Open connections and requests in flight go on being counted; all else starts at 0. */
  readonly resetStats: () => void
  /**
   * Changes the rate limit, or ends it. What is in flight counts towards the new one; buckets keep their level, as far as
   * it fits, and those of a limit that was not there before start full.
   */
  readonly limit: (limit: RateLimit | undefined) => void
  /** Changes which keys are known to requests that come from now on; `undefined` for every key. */
  readonly apiKeys: (keys: Iterable<string> | undefined) => void
  readonly faults: Faults
  /** Files that were uploaded, oldest first. */
  readonly uploads: ReadonlyArray<Upload>
  /** Cuts every connection and stops listening. Idempotent, and never rejects. */
  readonly close: () => Promise<void>
}

/**
 * Name of a key in `stats().log` and in the statistics over HTTP.
 *
 * @since 0.1.0
 * @category accessors
 */
export const fingerprint = (key: string): string => counters.fingerprint(key)

/**
 * The service tag; `layer` provides it.
 *
 * @since 0.1.0
 * @category services
 */
export const Sandbox: Context.Tag<Sandbox, Sandbox> = Context.GenericTag<Sandbox>("clientele/testing/Sandbox")

/**
 * A sandbox for code without Effect: `await using sandbox = await Sandbox.start()`. Rejects with a `SandboxError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = async (options: Options = {}): Promise<Sandbox & AsyncDisposable> => {
  const running = await server.start(options).catch((cause: unknown) => {
    throw new SandboxError({ address: `${options.host ?? "127.0.0.1"}:${options.port ?? 0}`, cause })
  })
  return {
    ...running,
    ca: certificate.ca,
    clientCertificate: certificate.client,
    baseURL: (provider) => (provider === "openai" ? `${running.origin}/v1` : running.origin),
    [Symbol.asyncDispose]: running.close
  }
}

/**
 * A sandbox until the scope closes, which cuts every connection.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<Sandbox, SandboxError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: () => start(options),
      catch: (error) => (error instanceof SandboxError ? error : new SandboxError({ address: "", cause: error }))
    }),
    (sandbox) => Effect.promise(() => sandbox.close())
  )

/**
 * A sandbox as a service, for tests that share one. It ends with the layer, which cuts every connection.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<Sandbox, SandboxError> => Layer.scoped(Sandbox, make(options))
