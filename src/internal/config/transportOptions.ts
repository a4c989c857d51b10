import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"

/**
 * How a client's connections are made and bounded. Clients whose origin and transport options agree share one pool.
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
   * Whether to use HTTP/2 where the server offers it (ALPN decides, once for an origin). `"prior-knowledge"` speaks it
   * over clear text, to local servers that are known to.
   *
   * @default true
   */
  readonly http2?: boolean | "prior-knowledge" | undefined
  /**
   * How long a socket stays open with nothing to do. A number is milliseconds, `Infinity` is for ever.
   *
   * @default "60 seconds"
   */
  readonly keepAlive?: Duration.DurationInput | undefined
  /**
   * How old a socket may grow before it gets no new requests, so that changes of DNS are noticed. A number is
   * milliseconds, `Infinity` is no limit.
   *
   * @default "5 minutes"
   */
  readonly maxConnectionAge?: Duration.DurationInput | undefined
  /**
   * How long DNS, TCP and TLS together may take. A number is milliseconds, `Infinity` is no limit.
   *
   * @default "10 seconds"
   */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /**
   * The http or https URL of a proxy to tunnel through. User and password in it are kept secret.
   *
   * `"env"` is what the environment names: `https_proxy` or `HTTPS_PROXY` for https addresses, `http_proxy` or
   * `HTTP_PROXY` for http ones, unless `no_proxy` or `NO_PROXY` has the host. That is a list, with commas: names stand for
   * themselves and what ends in them (`example.com`, `.example.com`), `*` for all, and `:8080` after a name for that port
   * alone; ranges such as `10.0.0.0/8` are not understood. It is read when the config is made and is part of the key as
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
 * `TransportOptions` with all said aloud: durations in milliseconds, `Infinity` for none. Equal by value.
 *
 * @since 0.1.0
 * @category models
 */
export interface TransportSettings {
  readonly maxConnections: number
  readonly http2: boolean | "prior-knowledge"
  readonly keepAlive: number
  readonly maxConnectionAge: number
  readonly connectTimeout: number
  readonly proxy: Redacted.Redacted | undefined
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: Redacted.Redacted | undefined
  readonly isolation: "shared" | "client"
}
