/** Common types of the sandbox and its users. `testing/Sandbox` makes them public. */
import type * as Duration from "effect/Duration"

/**
 * Provider of the wire format.
 *
 * @since 0.1.0
 * @category models
 */
export type ProviderName = "openai" | "azure" | "groq" | "cerebras" | "anthropic"

/**
 * Limits of one API key for one model (Azure: deployment), as token buckets that refill continuously; models don't share.
 * Beyond them the answer is a real 429 in the provider's format, with Retry-After and x-ratelimit-* headers. A request
 * that is refused costs nothing; one that meets a fault costs what it would have cost without.
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimit {
  /** @default no limit */
  readonly requestsPerMinute?: number | undefined
  /** Tokens of prompts and answers, as `charge` counts them. @default no limit */
  readonly tokensPerMinute?: number | undefined
  /** Requests at the same time, from the end of a request's body to the end of its answer. @default no limit */
  readonly maxConcurrency?: number | undefined
  /** Part of a minute's limit that may come at once: 1 is a whole minute's worth. @default 1 */
  readonly burst?: number | undefined
  /**
   * The Retry-After of a 429 for `maxConcurrency`; a number is in ms. By default there is none, since a server can't
   * foresee when others end: Cerebras documents no such header (inference-docs.cerebras.ai/support/rate-limits) and Azure leaves
   * it out at times (learn.microsoft.com/answers/questions/5625878), though Anthropic documents it always
   * (anthropic-sdk-typescript#358) and Groq for every 429 of a rate limit (console.groq.com/docs/rate-limits).
   *
   * @default none
   */
  readonly concurrencyRetryAfter?: Duration.DurationInput | undefined
  /**
   * Tokens of `tokensPerMinute` that a request costs when it is admitted:
   *
   * - `used`: its prompt and its answer as in its later `usage`, which only a sandbox has beforehand.
   * - `asked`: its prompt and the longest answer that it asks for (`max_tokens` and the like; without, as `used`), as
   *   Azure counts (learn.microsoft.com/azure/ai-foundry/openai/how-to/quota).
   * - `reserved`: the same, but what was not used is given back at the end of the answer. So Cerebras estimates
   *   (inference-docs.cerebras.ai/support/rate-limits).
   *
   * @default "used"
   */
  readonly charge?: "used" | "reserved" | "asked" | undefined
}

/**
 * Faults of the sandbox:
 *
 * - `status`: an error status. Without `body` the provider's own error of that status and `code`: a 429 of
 *   `insufficient_quota` is an account without money. It has the `headers` that are given, and none of rate limits beside.
 * - `headers`: the answer as it would be, with these headers instead of its own of those names.
 * - `resetBeforeHeaders`: RST_STREAM on HTTP/2 (`code` default 2, INTERNAL_ERROR; 7 is REFUSED_STREAM), a closed socket
 *   on HTTP/1.1.
 * - `resetMidBody`: the same after `afterBytes` of the body, or after `afterChunks` of it (events of a stream). Default:
 *   half of the body's bytes.
 * - `stall`: nothing more for `ms` (default: forever), before the headers or in the middle of the body.
 * - `garbage`: an answer of 200 whose body is invalid JSON, or bytes that are not HTTP.
 * - `slowDrip`: the body in pieces of `bytes`, one every `every` ms.
 * - `truncate`: Content-Length announces `missing` bytes more (default 10) than are sent before the connection ends.
 * - `goAway`: HTTP/2 GOAWAY with `code` (default 0), then the answer; on HTTP/1.1 `connection: close`.
 *
 * @since 0.1.0
 * @category models
 */
export type Fault =
  | {
      readonly type: "status"
      readonly status: number
      readonly headers?: Readonly<Record<string, string>> | undefined
      readonly body?: string | undefined
      readonly code?: string | undefined
    }
  | { readonly type: "headers"; readonly headers: Readonly<Record<string, string>> }
  | { readonly type: "resetBeforeHeaders"; readonly code?: number | undefined }
  | {
      readonly type: "resetMidBody"
      readonly afterBytes?: number | undefined
      readonly afterChunks?: number | undefined
      readonly code?: number | undefined
    }
  | {
      readonly type: "stall"
      readonly at: "headers" | "body"
      readonly ms?: number | undefined
      readonly afterBytes?: number | undefined
      readonly afterChunks?: number | undefined
    }
  | { readonly type: "garbage"; readonly what: "json" | "protocol" }
  | { readonly type: "slowDrip"; readonly bytes: number; readonly every: number }
  | { readonly type: "truncate"; readonly missing?: number | undefined }
  | { readonly type: "goAway"; readonly code?: number | undefined }

/**
 * Which requests a rule is for. What is absent matches everything.
 *
 * @since 0.1.0
 * @category models
 */
export interface FaultMatch {
  /** The path without its query: the whole of it as a string, or an expression. */
  readonly path?: string | RegExp | undefined
  readonly model?: string | RegExp | undefined
  readonly apiKey?: string | undefined
  /** Only the n-th (from 1) of the requests that the fields above match. */
  readonly nth?: number | undefined
  /** Every n-th of them. */
  readonly every?: number | undefined
}

/**
 * The first rule that matches a request decides; later rules do not count it.
 *
 * @since 0.1.0
 * @category models
 */
export interface FaultRule {
  readonly match?: FaultMatch | undefined
  /** Times that the rule applies before it is spent. @default no limit */
  readonly times?: number | undefined
  readonly fault: Fault
}

/**
 * The fault script of a running sandbox.
 *
 * @since 0.1.0
 * @category models
 */
export interface Faults {
  /** Adds rules behind those that are there. */
  readonly push: (...rules: ReadonlyArray<FaultRule>) => void
  /** Forgets all rules and what they counted, and takes these. */
  readonly replace: (rules: ReadonlyArray<FaultRule>) => void
  /** Rules that are not spent. */
  readonly pending: () => ReadonlyArray<FaultRule>
}

/**
 * Everything is optional: without options it is an HTTP server on a free port of 127.0.0.1 that answers at once.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** @default 0: any free port */
  readonly port?: number | undefined
  /** Address to listen at. @default "127.0.0.1" */
  readonly host?: string | undefined
  /**
   * Protocol of the port. With TLS, ALPN announces it to the client; without TLS, `h2` is HTTP/2 with prior knowledge,
   * and `both` depends on a connection's first bytes.
   *
   * @default "both"
   */
  readonly protocol?: "http/1.1" | "h2" | "both" | undefined
  /** TLS with a fixed certificate for localhost, 127.0.0.1 and ::1, of the authority `ca`. @default false */
  readonly tls?: boolean | undefined
  /** Refuse TLS clients without a certificate of that authority: `clientCertificate` is one. @default false */
  readonly requestClientCert?: boolean | undefined
  /** SETTINGS_MAX_CONCURRENT_STREAMS of each HTTP/2 connection. @default 100 */
  readonly maxStreams?: number | undefined
  /** From the end of the request to the first byte of the answer; a number is in ms. @default 0 */
  readonly latency?: Duration.DurationInput | undefined
  /** Pause before each token of an answer; an answer that is not streamed waits for all of them. @default 0 */
  readonly timePerToken?: Duration.DurationInput | undefined
  /** Length of text answers, in tokens. @default 16 */
  readonly tokens?: number | undefined
  /** The keys that are known; others get 401. @default every key, and none */
  readonly apiKeys?: ReadonlyArray<string> | undefined
  /** The models that are known; others get 404. @default every name; listed are a few of the provider's */
  readonly models?: ReadonlyArray<string> | undefined
  /** @default no limits */
  readonly rateLimit?: RateLimit | undefined
  /** @default none */
  readonly faults?: ReadonlyArray<FaultRule> | undefined
  /** Number of ended requests that `stats().log` holds. @default 1000 */
  readonly logSize?: number | undefined
  /** Serve statistics on a port of their own (see `controlOrigin`). @default no such port */
  readonly controlPort?: number | undefined
}

/**
 * One connection, open or not.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionStats {
  readonly id: number
  readonly open: boolean
  readonly tls: boolean
  /** Undefined until the connection's first bytes. */
  readonly protocol: "h2" | "http/1.1" | undefined
  /** The subject of the certificate that the client showed. */
  readonly clientName: string | undefined
  readonly requests: number
  readonly inFlight: number
  readonly peakInFlight: number
}

/**
 * One request that has ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface RequestLog {
  readonly id: number
  /** Milliseconds since 1970, when its headers were in. */
  readonly at: number
  /** The same by the sandbox's `performance.now()`: finer, and never set back. */
  readonly arrived: number
  /** Milliseconds until its end. */
  readonly duration: number
  readonly method: string
  readonly path: string
  readonly model: string | undefined
  /** The API key's `fingerprint`. */
  readonly key: string
  /** True if the key was one of `apiKeys` when the request arrived. */
  readonly keyKnown: boolean
  /** True if a stream was requested. */
  readonly streamed: boolean
  readonly connection: number
  readonly status: number | undefined
  readonly fault: string | undefined
  /** `aborted` if the client gave up before the end of the answer. */
  readonly outcome: "answered" | "fault" | "aborted"
}

/**
 * Counts since the start, or since `resetStats`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** Sockets, those that never sent a request included. */
  readonly connections: { readonly open: number; readonly peak: number; readonly total: number }
  readonly byConnection: ReadonlyArray<ConnectionStats>
  readonly requests: number
  readonly inFlight: number
  readonly peakInFlight: number
  /** By the key as it was sent, "" for none. */
  readonly requestsByKey: ReadonlyMap<string, number>
  /** By path without query. */
  readonly requestsByPath: ReadonlyMap<string, number>
  readonly responsesByStatus: ReadonlyMap<number, number>
  /** Answers of 429, scripted ones included. */
  readonly rateLimited: number
  /** Requests that a fault rule or header applied to. */
  readonly faults: number
  /** Answers that the client gave up. */
  readonly aborts: number
  /** By RST_STREAM code on HTTP/2 (8 is CANCEL), `"socket"` for a closed HTTP/1.1 socket. */
  readonly abortCodes: ReadonlyMap<number | "socket", number>
  /** The last requests that ended, as many as `logSize`, in the order of their ends. */
  readonly log: ReadonlyArray<RequestLog>
}

/**
 * A file that was uploaded. Its bytes are gone; `sha256` (hex) shows whether they arrived whole.
 *
 * @since 0.1.0
 * @category models
 */
export interface Upload {
  readonly id: string
  readonly name: string
  readonly purpose: string
  readonly size: number
  readonly sha256: string
}
