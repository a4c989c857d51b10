/**
 * The layer that an app provides at its edge: the client map, with everything that agents share. When the layer closes,
 * new leases fail with `PoolError` `Closed`, requests in flight get the drain timeout, and then all sockets are
 * destroyed.
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ClientMap } from "./internal/client/clientMapTag.ts"
import * as internal from "./internal/client/clientMap.ts"
import { publicAddress as isPublic } from "./internal/transport/publicAddress.ts"

/**
 * Limits of all that agents share. Durations given as numbers are milliseconds; `Infinity` is no limit.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * Time that an unused client is kept for the next lease. Its sockets close with it.
   *
   * @default "1 minute"
   */
  readonly idleTimeToLive?: Duration.DurationInput | undefined
  /**
   * Number of clients to keep. Above it the least recently used idle client is released; clients in use never are, and
   * no lease is refused because of it.
   *
   * @default 1024
   */
  readonly capacity?: number | undefined
  /**
   * Hard bound on clients. At it, a lease that needs a new one waits for `acquireTimeout`, then fails with `PoolError`
   * `Capacity`.
   *
   * @default Infinity
   */
  readonly maxClients?: number | undefined
  /**
   * Time that a lease waits at `maxClients`.
   *
   * @default 0
   */
  readonly acquireTimeout?: Duration.DurationInput | undefined
  /**
   * Sockets of all transports together. At this bound, idle sockets are closed for origins that need one, then requests
   * queue. An upper bound, not a reservation: all layers of a thread, over all copies of the package, together have the
   * default, or the sum of their settings if that is more. Worker threads divide the free descriptors, and aim to leave a
   * quarter of all to everything else.
   *
   * @default 512, or half of the soft limit on open files if that is less
   */
  readonly maxSockets?: number | undefined
  /**
   * Time that requests in flight may take when a transport, or the whole layer, closes.
   *
   * @default "10 seconds"
   */
  readonly drainTimeout?: Duration.DurationInput | undefined
  /**
   * Warn once of each lease that is held longer, naming the fiber and span that took it.
   *
   * @default none
   */
  readonly leakWarning?: Duration.DurationInput | undefined
  /**
   * Predicate for the hosts that requests may go to, as the base URL names them: in lower case, an IPv6 address without
   * brackets, a name without a trailing dot. Anything but `true` refuses. A config with a refused host fails with an
   * `OptionsError` of its `baseURL`, before anything is built. The host of a proxy is checked too. For base URLs that
   * others choose, such as tenants in rows of a database.
   *
   * @default all
   */
  readonly allowHost?: ((host: string, port: number) => boolean) | undefined
  /**
   * Predicate for the addresses that sockets may be opened to; `host` is the name that resolved to it, or the address
   * itself. Anything but `true` refuses. It is called after DNS, with the address about to be dialled, so a name that
   * resolves differently later gains nothing. IPv4 in IPv6 (`::ffff:10.0.0.1`) is passed as IPv4. A name's refused
   * addresses are skipped; if none is left the request fails with `RequestError` `BadRequest`, at once and unsent.
   * `publicAddress` is one such function.
   *
   * The address of a proxy is checked too. A proxy resolves names itself: for requests through one, only hosts that are
   * literal addresses are checked.
   *
   * @default all
   */
  readonly allowAddress?: ((address: string, host: string) => boolean) | undefined
}

/**
 * For `allowAddress`: whether an address is one of the internet's. It is not if it is loopback, private, link-local
 * (where clouds tell a machine its credentials), carrier-grade NAT, unspecified, multicast, reserved or for documentation
 * (the special-purpose registries of IANA for IPv4 and IPv6), nor Azure's 168.63.129.16, nor an IPv6 address that leads to
 * such an IPv4 address by mapping, NAT64 or 6to4.
 *
 * @example
 * ```ts
 * import * as ClientLayer from "clientele/ClientLayer"
 *
 * // Tenants bring base URLs of their own; ours are behind a proxy within.
 * export const clients = ClientLayer.layer({
 *   allowHost: (host, port) => port === 443 && !host.endsWith(".internal"),
 *   allowAddress: (address, host) => host === "proxy.corp.example" || ClientLayer.publicAddress(address)
 * })
 * ```
 *
 * @since 0.1.0
 * @category predicates
 */
export const publicAddress = (address: string): boolean => isPublic(address)

/**
 * The client map. An option that can't be used makes each lease fail with an `OptionsError` that names it.
 *
 * Provide it once, around everything: each build is a map of its own, so agents that each provide the layer share
 * nothing.
 *
 * @example
 * ```ts
 * import * as ClientLayer from "clientele/ClientLayer"
 * import * as GroqClient from "clientele/GroqClient"
 * import * as Effect from "effect/Effect"
 *
 * const agent = (title: string) =>
 *   GroqClient.use(undefined, (groq) =>
 *     groq.chat.completions.create({
 *       model: "llama-3.3-70b-versatile",
 *       messages: [{ role: "user", content: `Sum up ${title}` }]
 *     })
 *   )
 *
 * export const main = Effect.forEach(["Alien", "Brazil"], agent, { concurrency: "unbounded" }).pipe(
 *   Effect.provide(ClientLayer.layer({ idleTimeToLive: "30 seconds" }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<ClientMap> => Layer.scoped(ClientMap, internal.make(options))

/**
 * The same with options from the environment.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (config: Config.Config.Wrap<Options>): Layer.Layer<ClientMap, ConfigError> =>
  Layer.scoped(ClientMap, Effect.flatMap(Config.unwrap(config), internal.make))
