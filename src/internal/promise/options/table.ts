/**
 * Handling of each option of an SDK's constructor, as data: validation, keys and docs/options.md are derived from it.
 * The rows here are shared by several SDKs; each SDK's own file has the whole table.
 */

/**
 * - `pool`: the pool handles it, for all SDKs alike; it is part of the `ClientConfig`.
 * - `sdk`: passed to the SDK's constructor; other values are another object over the same connections.
 * - `unpooled`: replaces the sending of requests. The SDK's class is made with all options as they are, uncached.
 * - `nothing`: accepted, without effect here; the note has the reason.
 * - `refused`: an OptionsError with the note in it.
 */
export type Fate = "pool" | "sdk" | "unpooled" | "nothing" | "refused"

export interface Row {
  readonly fate: Fate
  /** A sentence without a full stop, for the docs; of what is refused or unpooled it is the reason in messages. */
  readonly note: string
  /** The environment variable that is read where the option is absent. */
  readonly env?: string
  /** True if the environment's value is added to the given one, which wins. */
  readonly merged?: true
  /** The name of the same thing in the options of the Effect modules, where that is another. */
  readonly as?: string
  /** True if `null` differs from leaving the option out: it means none, whatever the environment has. */
  readonly null?: true
  /** Required type of an `sdk` option. */
  readonly type?: "string" | "boolean" | "object"
  /** Told apart by which object it is, for what it does can't be seen. */
  readonly identity?: true
  /** Not the SDK's: one of ours beside them. */
  readonly ours?: true
  /** The version of the SDK that brought it. */
  readonly since?: string
}

export type Table = Readonly<Record<string, Row>>

/** Options of `fetchOptions` stand in the same table under `fetchOptions.name`. */
export const INIT = "fetchOptions."

const own = "it sends requests itself, without the pool, its quota and its retries"

/** Options of all SDKs. */
export const common = {
  timeout: {
    fate: "pool",
    note:
      "Milliseconds from a request's turn to its response headers: connecting counts, " +
      "waiting for quota or for a busy socket does not; `Infinity` disables it"
  },
  maxRetries: { fate: "pool", note: "The pool retries, for all SDKs alike; the SDK itself sends each request once" },
  defaultQuery: { fate: "pool", as: "query", note: "Sent with each request" },
  fetch: { fate: "unpooled", note: own }
} as const satisfies Table

export const defaultHeaders = <const Variable extends string>(env: Variable) =>
  ({
    fate: "pool",
    as: "headers",
    env,
    merged: true,
    note:
      "Sent with each request, over the lines of the variable; `null` removes a header that the SDK or the " +
      "variable would set"
  }) as const satisfies Row

/** Options of the SDKs that send through the global fetch: openai and groq-sdk. */
export const modern = {
  logger: {
    fate: "sdk",
    type: "object",
    identity: true,
    note:
      "Receives the SDK's logs (default: the console), without secrets and with control characters escaped; another " +
      "logger object is another client object, so make it once"
  },
  dangerouslyAllowBrowser: { fate: "sdk", type: "boolean", note: "Passed to the SDK" },
  httpAgent: {
    fate: "refused",
    note: "the SDK ignores it; set connections by the options of `transport`"
  },
  fetchOptions: { fate: "sdk", type: "object", note: "Field by field, as in the next rows" },
  "fetchOptions.redirect": { fate: "sdk", type: "string", note: "Passed to the SDK; redirects stay within one origin" },
  "fetchOptions.dispatcher": { fate: "unpooled", note: own },
  "fetchOptions.agent": { fate: "unpooled", note: own },
  "fetchOptions.client": { fate: "unpooled", note: own },
  "fetchOptions.proxy": { fate: "unpooled", note: own },
  "fetchOptions.integrity": { fate: "unpooled", note: "only the SDK's own fetch checks it" },
  "fetchOptions.cache": { fate: "nothing", note: "Nothing is cached" },
  "fetchOptions.credentials": { fate: "nothing", note: "Applies to browsers" },
  "fetchOptions.duplex": { fate: "nothing", note: "The SDK sets it where it applies" },
  "fetchOptions.keepalive": { fate: "nothing", note: "Applies to browsers" },
  "fetchOptions.mode": { fate: "nothing", note: "Applies to browsers" },
  "fetchOptions.priority": { fate: "nothing", note: "Applies to browsers" },
  "fetchOptions.referrer": { fate: "nothing", note: "Applies to browsers" },
  "fetchOptions.referrerPolicy": { fate: "nothing", note: "Applies to browsers" },
  "fetchOptions.window": { fate: "nothing", note: "Applies to browsers" },
  "fetchOptions.body": { fate: "refused", note: "the SDK sets it for each request" },
  "fetchOptions.headers": { fate: "refused", note: "it would replace the key's own header: use `defaultHeaders`" },
  "fetchOptions.method": { fate: "refused", note: "the SDK sets it for each request" },
  "fetchOptions.signal": { fate: "refused", note: "it would replace each request's own: give it with the request" }
} as const satisfies Table

/** Ours, beside those of each SDK. */
export const ours = {
  bodyTimeout: { fate: "pool", ours: true, note: "Longest time between two chunks of the body; default 5 minutes" },
  deadline: {
    fate: "pool",
    ours: true,
    note: "Longest time of a whole request, from the call to the last byte: waits, attempts and their pauses; default none"
  },
  retryAmbiguous: {
    fate: "pool",
    ours: true,
    note: "Requests retried although the provider may have processed them: `generation` (default), `never`, `always`"
  },
  maxRetryAfter: {
    fate: "pool",
    ours: true,
    note: "Longest time that a request waits because of failures; default 60 seconds"
  },
  queueTimeout: { fate: "pool", ours: true, note: "Longest time that a request waits to be sent; default no limit" },
  quota: {
    fate: "pool",
    ours: true,
    note: "Limits on requests, tokens and concurrency, shared by all clients with the same key"
  },
  transport: {
    fate: "pool",
    ours: true,
    note:
      "Connections: their number, HTTP/2, proxy (also the environment's), certificates, isolation, circuits; limits on the " +
      "requests that wait for one, and on the length of a response"
  }
} as const satisfies Table

export const apiKeyNote = "Clients with the same key share a budget; errors and logs omit the key"

export const baseURLNote =
  "Destination of requests; `null` is the provider's own address, over the environment's. Reads back as it is written"
