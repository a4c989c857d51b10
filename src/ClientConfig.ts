/**
 * The canonical form of a client's options, which is its key: equivalent options give the same object, and any
 * difference gives another.
 *
 * Every field is part of the identity. Values are frozen, interned and hashed once, so a config that is made once and
 * passed around costs nothing to look up. The table of configs is weak: unreferenced configs are dropped.
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import type { Input as HeadersInput } from "@effect/platform/Headers"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Equal from "effect/Equal"
import type { Inspectable } from "effect/Inspectable"
import type * as Redacted from "effect/Redacted"
import type { OptionsError } from "./ClientError.ts"
import type { Credential } from "./Credential.ts"
import * as internal from "./internal/config/make.ts"
import type { AdaptiveKey, QuotaOptions, QuotaKey } from "./internal/config/quotaOptions.ts"
import type { TransportOptions, TransportSettings, TransportTarget } from "./internal/transport/transportOptions.ts"
import * as value from "./internal/config/value.ts"

export type { AdaptiveKey, QuotaKey, TransportSettings }

/**
 * @since 0.1.0
 * @category symbols
 */
export const TypeId: typeof value.TypeId = value.TypeId

/**
 * @since 0.1.0
 * @category symbols
 */
export type TypeId = typeof TypeId

/**
 * Everything that makes one client differ from another. Printing shows provider, base URL and fingerprint alone.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientConfig<out P extends string = string> extends Equal.Equal, Inspectable {
  readonly [TypeId]: TypeId
  readonly provider: P
  /** Scheme and host in lower case; no default port, trailing slash, user, query or fragment. */
  readonly baseURL: string
  readonly credential: Redacted.Redacted | Credential
  /** Milliseconds from a request's turn to the response's headers, connecting included; `Infinity` for none. */
  readonly timeout: number
  /** Milliseconds between chunks of the body, `Infinity` for none. */
  readonly bodyTimeout: number
  /** Milliseconds from dispatch to the last byte, `Infinity` for none. */
  readonly deadline: number
  readonly maxRetries: number
  /** Retries of requests that the provider may have processed. */
  readonly retryAmbiguous: "generation" | "never" | "always"
  /** The longest Retry-After that is waited for, in milliseconds; `Infinity` for any. */
  readonly maxRetryAfter: number
  /** Milliseconds from the call to dispatch, `Infinity` for no limit. */
  readonly queueTimeout: number
  /** Names in lower case and in order. May hold secrets: never print the values. */
  readonly headers: Readonly<Record<string, string>>
  /** In the order of their names. */
  readonly query: Readonly<Record<string, string>>
  readonly transport: TransportSettings
  readonly quota: QuotaKey
  /** Values of the spec's further options, every name present; `undefined` for an option that was not given. */
  readonly extra: Readonly<Record<string, string | undefined>>
}

/**
 * Options that every provider takes. What is absent or `undefined` comes from the provider's usual environment
 * variables (through the fiber's `ConfigProvider`), then from the defaults below.
 *
 * @since 0.1.0
 * @category models
 */
export interface CommonOptions {
  /**
   * The secret; outer white space is dropped. A plain string is refused, so that keys are not printed by accident.
   *
   * @default the provider's variable, for instance `OPENAI_API_KEY`
   */
  readonly apiKey?: Redacted.Redacted | Credential | undefined
  /**
   * The base URL of requests: http or https, without user, password or query.
   *
   * @default the provider's variable, then the provider's own address
   */
  readonly baseURL?: string | undefined
  /**
   * From a request's turn to the response's headers: DNS, connecting, TLS and the first SETTINGS of HTTP/2 count where a
   * connection has to be opened for it, waiting for quota or for busy sockets does not. A number is milliseconds, `Infinity` is no
   * limit; fractions of a millisecond are rounded up.
   *
   * @default what the provider's SDK has: 10 minutes for OpenAI and Azure, 1 minute for Groq and Cerebras
   */
  readonly timeout?: Duration.DurationInput | undefined
  /**
   * Between two chunks of the response's body. A number is milliseconds, `Infinity` is no limit.
   *
   * @default "5 minutes", which is also the bodyTimeout of undici
   */
  readonly bodyTimeout?: Duration.DurationInput | undefined
  /**
   * For a whole request, from the call until the last byte of its answer has come: waiting for quota and for a socket,
   * all attempts, and the pauses between them. A number is milliseconds, `Infinity` is no limit.
   *
   * A request that is not finished by then fails with a `RequestError` whose reason is `Timeout` and whose message names
   * the deadline and what failed last, which is its `cause`; an attempt that is under way is aborted at the server.
   * What would begin too late is not waited for: if the pause before another attempt, or a Retry-After, would outlast the
   * deadline, the request fails at once with the failure that it has. What waits for a client before that, where
   * `maxClients` bounds them, has its own `acquireTimeout`.
   *
   * @default Infinity
   */
  readonly deadline?: Duration.DurationInput | undefined
  /**
   * Retries of a request that failed, after the SDKs' own pauses: 0.5 s, doubling up to 8 s, less up to a quarter. A
   * retry for which there is no budget (`quota.retriesPerSecond`) waits. Where nothing gets in (a circuit is open,
   * `transport.circuitFailures`) requests wait and are probed with, which costs none of these, unless the provider may
   * have worked on it. All these waits together last at most `maxRetryAfter`.
   *
   * With 0 a request fails after its first attempt, and gets the next probe's verdict while a circuit is open. What a
   * server turned away unread (a connection that had gone stale, HTTP/2 REFUSED_STREAM) moves to another connection all
   * the same.
   *
   * @default 2, as all the SDKs have it
   */
  readonly maxRetries?: number | undefined
  /**
   * Retries, within `maxRetries`, of requests whose outcome is unknown: the connection broke or a timeout passed after
   * the request was sent and before a response began (`processed` is `"maybe"`). Requests that were certainly not sent
   * are retried whatever the value, and a response that broke after its first byte is never retried.
   *
   * - `"generation"`: requests safe to repeat except for token cost. These are POSTs to `.../chat/completions`,
   *   `.../completions`, `.../embeddings`, `.../moderations`, `.../messages` (not of a thread), unless the body has
   *   `store: true`; to `.../responses` if it has `store: false` and no `conversation`; and GET, HEAD and
   *   OPTIONS. All others (files, batches, images, unknown paths, PUT and DELETE too) are retried only with an
   *   `Idempotency-Key` of your own on the request.
   * - `"never"`: nothing.
   * - `"always"`: everything. The provider may then do any work twice.
   *
   * A response is a known outcome, 408, 409 and 5xx included: after those, the requests of `"generation"` are retried
   * with `"never"` as well, and with `"always"` all others are too. All attempts of a request carry one
   * Idempotency-Key: yours, or a generated one; since no provider promises to honour it, a generated key permits no
   * further retries.
   *
   * @default "generation"
   */
  readonly retryAmbiguous?: "generation" | "never" | "always" | undefined
  /**
   * Longest time that a request waits because of failures: for a Retry-After, an open circuit, a retry budget that is
   * used up, all together. A longer Retry-After is not waited for: its request fails at once, with a `RequestError` that
   * has it as `retryAfter`, and others wait for probes; when two of these get the same, all to that model fail at once
   * (`RateLimited`). A number is milliseconds, `Infinity` waits however long it takes, 0 never waits, for callers with
   * another provider. Waiting for a turn is not counted: `queueTimeout` bounds that.
   *
   * @default "60 seconds", up to which openai's own retries obey a Retry-After
   */
  readonly maxRetryAfter?: Duration.DurationInput | undefined
  /**
   * Longest wait from the call to dispatch, for quota and then for a socket. A request that waits longer fails with a
   * `RequestError` of reason `QueueTimeout`, and was certainly not sent. `timeout` does not count it. A
   * number is milliseconds, above 0; `Infinity` is no limit.
   *
   * @default Infinity
   */
  readonly queueTimeout?: Duration.DurationInput | undefined
  /**
   * Sent with each request. Names are matched whatever their case; each may occur once; an array is joined by ", ".
   * Headers that belong to the connection (Host, Content-Length, ...) are refused.
   *
   * @default those of the provider's variable, for instance `OPENAI_CUSTOM_HEADERS`, over which these win
   */
  readonly headers?: HeadersInput | undefined
  /**
   * Query parameters of each request.
   *
   * @default none
   */
  readonly query?: Readonly<Record<string, string | undefined>> | undefined
  /**
   * The connections below.
   *
   * @default each of its fields
   */
  readonly transport?: TransportOptions | undefined
  /**
   * The budget above, shared by all clients of one credential, and counted for each model by itself.
   *
   * @default no limits
   */
  readonly quota?: QuotaOptions | undefined
}

/**
 * The common options and a provider's own.
 *
 * @since 0.1.0
 * @category models
 */
export type Options<Extra extends string = never> = CommonOptions & {
  /** `null` is none, over the environment's. */
  readonly [K in Extra]?: string | null | undefined
}

/**
 * An option of one provider: text without control characters, in Latin-1.
 *
 * @since 0.1.0
 * @category models
 */
export interface ExtraField {
  /**
   * The environment variable that is read when the option is absent.
   *
   * @default none
   */
  readonly env?: string | undefined
  /**
   * True if a client can't be made without it.
   *
   * @default false
   */
  readonly required?: boolean | undefined
  /**
   * Validates a value; `expected` describes valid values in the error.
   *
   * @default any text
   */
  readonly accepts?: { readonly test: (value: string) => boolean; readonly expected: string } | undefined
  /**
   * Makes the option an alternative to `baseURL`: a URL to which this path is added. It is then no field of `extra`,
   * and giving both is refused.
   *
   * @default undefined
   */
  readonly baseURLPath?: string | undefined
}

/**
 * Defaults, environment variables and further options of a provider. Specs are constants: each is read once.
 *
 * @since 0.1.0
 * @category models
 */
export interface Spec<out P extends string = string, Extra extends string = never> {
  /** The provider's name in keys, errors and metrics. */
  readonly id: P
  /**
   * The base URL of requests when neither the options nor the environment set one.
   *
   * @default none: it must be given
   */
  readonly baseURL?: string | undefined
  /**
   * The default of the option `timeout`. A number is milliseconds.
   *
   * @default "10 minutes"
   */
  readonly timeout?: Duration.DurationInput | undefined
  /**
   * Names of the environment variables for the common options. `headers` holds lines of `name: value`.
   *
   * @default none are read
   */
  readonly env?:
    | {
        readonly apiKey?: string | undefined
        readonly baseURL?: string | undefined
        readonly headers?: string | undefined
      }
    | undefined
  /**
   * The provider's own options.
   *
   * @default none
   */
  readonly extra?: { readonly [K in Extra]: ExtraField } | undefined
}

/**
 * Identity of a transport: clients with equal keys share one pool.
 *
 * @since 0.1.0
 * @category models
 */
export interface TransportKey extends TransportTarget {
  /** `"shared"`, or the one config that has the pool for itself. */
  readonly isolation: "shared" | ClientConfig
}

/**
 * Identity of a quota: clients with equal keys share one budget.
 *
 * @since 0.1.0
 * @category models
 */
export interface CredentialKey {
  readonly provider: string
  readonly baseURL: string
  readonly credential: Redacted.Redacted | Credential
  readonly organization: string | undefined
  readonly project: string | undefined
}

/**
 * Validates and normalises options and gives the one config that they mean. A config of the same provider is
 * returned as it is.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: <P extends string, Extra extends string = never>(
  spec: Spec<P, Extra>,
  options?: Options<Extra> | ClientConfig<P> | undefined
) => Effect.Effect<ClientConfig<P>, OptionsError> = internal.make

/**
 * True for a config that `make` returned, false for options that look alike.
 *
 * @since 0.1.0
 * @category guards
 */
export const isClientConfig: (u: unknown) => u is ClientConfig = value.isClientConfig

/**
 * Ten hexadecimal digits that distinguish configs in logs. They differ from process to process, and reveal nothing of
 * the config.
 *
 * @since 0.1.0
 * @category accessors
 */
export const fingerprint: (config: ClientConfig) => string = value.fingerprint

/**
 * The key of the config's transport: equal by value, the same object for equal keys.
 *
 * @since 0.1.0
 * @category accessors
 */
export const transportKey: (config: ClientConfig) => TransportKey = value.transportKey

/**
 * The keys of the config's quotas: one, or one for each member of a `Credential.pool`. Equal by value, the same object
 * for equal keys.
 *
 * @since 0.1.0
 * @category accessors
 */
export const credentialKeys: (config: ClientConfig) => ReadonlyArray<CredentialKey> = value.credentialKeys
