import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import type { TransportLimits } from "../util/bounds.ts"

/**
 * Options for making and bounding a client's connections. Clients whose origin and transport options agree share one
 * pool. On Bun, whose own `fetch` sends the requests, some options are refused: docs/runtimes.md lists them.
 *
 * @since 0.1.0
 * @category models
 */
export interface TransportOptions {
  /**
   * Most sockets to the origin. Over HTTP/2 one socket carries as many requests as the server allows; over
   * HTTP/1.1 it carries one, and further requests queue.
   *
   * @default 256
   */
  readonly maxConnections?: number | undefined
  /**
   * Uses HTTP/2 where the server offers it (ALPN decides, once for an origin). `"prior-knowledge"` uses it over plain
   * HTTP, to local servers that are known to support it.
   *
   * @default true
   */
  readonly http2?: boolean | "prior-knowledge" | undefined
  /**
   * Longest time that an idle socket stays open: HTTP/2 sessions stay for all of it. HTTP/1.1 connections stay
   * for 4 seconds, as undici's do, because many servers (uvicorn, vLLM) silently close theirs after 5; a server's
   * `Keep-Alive: timeout=N` applies instead, less a second. A number is milliseconds, `Infinity` is for ever.
   *
   * @default "60 seconds"
   */
  readonly keepAlive?: Duration.DurationInput | undefined
  /**
   * Age from which on a socket gets no new requests, so that changes of DNS are noticed. Requests on it may finish, and
   * until then it counts among `maxConnections`: where that is 1, or so low that all of its sockets carry long streams,
   * new requests wait for those. A number is milliseconds, `Infinity` is no limit.
   *
   * @default "5 minutes"
   */
  readonly maxConnectionAge?: Duration.DurationInput | undefined
  /**
   * Bounds DNS, TCP and TLS together; a request waits for its own `timeout` only. A number is milliseconds, `Infinity` is no limit.
   *
   * @default "10 seconds"
   */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /**
   * Most requests that may wait for a socket of this origin; an integer of at least 1, or `Infinity`. One more fails at
   * once, unsent, with `PoolError` `Capacity`; waiting requests are not affected.
   *
   * @default 100,000: so many agents may start at once. One that waits takes about 12 KB, its SDK's own objects
   *   included, or 20 KB with its fiber (Node 24), so twice as many would fill Node's heap of 4 GB
   */
  readonly maxQueue?: number | undefined
  /**
   * Most bytes of the bodies of requests that wait for a socket, together; an integer of at least 1, or
   * `Infinity`. Text counts a byte a character, a streamed upload nothing, since it is not held. Beyond that
   * requests fail as with `maxQueue`; a single request is let in whatever its size.
   *
   * @default 512 MiB: 100,000 prompts of 5 KB. In memory a prompt is twice as large, since its SDK holds it too, and
   *   Node's heap of 2 to 4 GB has more to hold
   */
  readonly maxQueueBytes?: number | undefined
  /**
   * Longest body of an answer in bytes, counted once its compression is undone; an integer of at least 1, or `Infinity`.
   * A longer one fails with `RequestError` `Malformed` as soon as that is known, and its rest is unread. Exempt are event
   * streams, whose parts `maxLineBytes` bounds, and downloads of files (GET of a path that ends in `/content`), which may
   * have any length: their reader applies backpressure to the server.
   *
   * @default 128 MiB. The longest answer of a provider is OpenAI's to 2,048 texts in one embeddings request: 3,072
   *   numbers each, about 80 MB as JSON
   */
  readonly maxResponseBytes?: number | undefined
  /**
   * Longest line of an event stream in bytes, and longest event, which is the lines up to an empty one; an integer of at
   * least 1, or `Infinity`. A longer one fails as with `maxResponseBytes`: SDKs keep all of an event until it ends.
   *
   * @default 32 MiB. Most events carry a token, but the last one of a Responses stream repeats the whole answer, images in
   *   base64 included, of which one has some 5 MB
   */
  readonly maxLineBytes?: number | undefined
  /**
   * Longest head of an answer, the names and values of its headers together, in bytes; an integer of at least 1, or
   * `Infinity`. A longer one fails with `RequestError` `Malformed`.
   *
   * @default 16 KiB, as Node's own `--max-http-header-size`
   */
  readonly maxHeadBytes?: number | undefined
  /**
   * Most headers that an answer may have; an integer of at least 1, or `Infinity`. More fail with `RequestError`
   * `Malformed`.
   *
   * @default 128, as Node's own `maxHeaderListPairs` over HTTP/2
   */
  readonly maxHeadFields?: number | undefined
  /**
   * Least number of failures, with no response since the first of them, after which a circuit opens; 0 or `false` for
   * never. Each credential and model has one, and the origin has one for connections that can't be made (DNS, TCP, TLS)
   * and for failures of three or more of those at once. It also opens when a request has failed its last attempt,
   * without any response since its first. Failures are 408 and 5xx, broken connections and timeouts;
   * a certificate, an abort or a lack of file descriptors is none.
   *
   * While it is open probes are sent, first within half a second. Requests that may be retried (`maxRetries`) wait,
   * holding neither socket nor quota, for as long as `maxRetryAfter` and `queueTimeout` allow; others get the next probe's
   * verdict: a `RequestError` "Connection" whose `processed` is "no" and whose `retryAfter` is the time until the next
   * probe. docs/overload.md has the whole policy.
   *
   * @default 64, so that chance does not open it where nine of ten attempts fail
   */
  readonly circuitFailures?: number | false | undefined
  /**
   * The longest pause between probes of an open circuit. The first goes after 250 to 500 ms; pauses grow to a second, and
   * in a long outage to a fortieth of it. When a probe gets in the others follow: half of what was in flight before at
   * once, twice as many each 300 ms. A number is milliseconds.
   *
   * @default "5 seconds"
   */
  readonly circuitCooldown?: Duration.DurationInput | undefined
  /**
   * The http or https URL of a proxy to tunnel through. User and password in it are kept secret. A proxy that refuses the
   * tunnel, with 407 or another status below 500, fails the request at once; with 408, 425, 429 and from 500 on CONNECT is
   * retried.
   *
   * `"env"` is what the environment names: `https_proxy` or `HTTPS_PROXY` for https addresses, `http_proxy` or
   * `HTTP_PROXY` for http ones, unless `no_proxy` or `NO_PROXY` has the host. That is a list, with commas: names stand for
   * themselves and what ends in them (`example.com`, `.example.com`), `*` for all, and `:8080` after a name for that port
   * alone; ranges such as `10.0.0.0/8` are not supported. It is read when the config is made and is part of the key as
   * it was found.
   *
   * @default none: the environment is not read, as the SDKs do not read it. Node's own NODE_USE_ENV_PROXY and
   * `--use-env-proxy` are for Node's agents and its fetch, and do not reach these sockets
   */
  readonly proxy?: "env" | (string & {}) | Redacted.Redacted | undefined
  /**
   * Certificate authorities in PEM that are trusted in place of the system's; their order does not matter.
   *
   * @default those of Node
   */
  readonly ca?: string | Uint8Array | ReadonlyArray<string | Uint8Array> | undefined
  /**
   * The client's certificate chain in PEM, for mutual TLS. Needs `key`.
   *
   * @default none
   */
  readonly cert?: string | Uint8Array | undefined
  /**
   * The private key of `cert` in PEM, not encrypted.
   *
   * @default none
   */
  readonly key?: Redacted.Redacted | undefined
  /**
   * `"client"` gives each distinct config a pool of its own, for tenants that must not share a socket.
   *
   * @default "shared"
   */
  readonly isolation?: "shared" | "client" | undefined
}

/**
 * `TransportOptions` with all defaults: durations in milliseconds, `Infinity` for none. Equal by value.
 *
 * @since 0.1.0
 * @category models
 */
export interface TransportSettings extends TransportLimits {
  readonly maxConnections: number
  readonly http2: boolean | "prior-knowledge"
  readonly keepAlive: number
  readonly maxConnectionAge: number
  readonly connectTimeout: number
  /** 0 for none. */
  readonly circuitFailures: number
  readonly circuitCooldown: number
  readonly proxy: Redacted.Redacted | undefined
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: Redacted.Redacted | undefined
  readonly isolation: "shared" | "client"
}

/**
 * An origin and the way to it, by which transports are shared.
 *
 * @since 0.1.0
 * @category models
 */
export interface TransportTarget extends Omit<TransportSettings, "isolation"> {
  /** Scheme, host and port. */
  readonly origin: string
}
