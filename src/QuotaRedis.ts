/**
 * One budget for many processes: requests and tokens of each model of a credential are counted in Redis, in one round
 * trip for all that wait, by the clock of the server; and a Retry-After that one process meets holds for all of them.
 * The concurrency is counted by each process for itself.
 *
 * Redis may be far away: turns are taken about two round trips before their time, and each request departs when its turn
 * comes, so a budget is used in full also at half a second. A request that is cancelled, or held back by a gate that
 * closes, gives its turn back; the turns of a process that dies are lost. If requests wait although budget is left,
 * because Redis responds too slowly, or because few requests may be in flight and each waits for a round trip, one
 * warning is logged until it recovers, with the round-trip time.
 *
 * While Redis is unreachable, or its commands fail, each process counts for itself, with one warning. It recovers by
 * itself. Processes that share a budget should be given the same limits, for each call counts by its own.
 *
 * Keys start with `prefix`, name no secret, and expire a minute after their costs are paid and their gates open. It
 * needs `ioredis` 5, and Redis 5 or later with permission to run `EVAL`, `EVALSHA`, `TIME`, `HMGET`, `HSET` and `PEXPIRE` on these keys.
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Cluster, Redis } from "ioredis"
import type { OptionsError } from "./ClientError.ts"
import * as internal from "./internal/quota/redis/make.ts"
import type { Store as StoreService } from "./internal/quota/store.ts"
import { Store } from "./internal/quota/storeTag.ts"

/**
 * Options of the Redis store. One of `url` and `client` must be given.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * `redis://user:password@host:6379/0`, or `rediss://` for TLS. The connection is made when the layer is built, is
   * made anew when it breaks, and closes with the layer.
   */
  readonly url?: Redacted.Redacted | string | undefined
  /**
   * A client of your own, for settings beyond a URL: sentinels, a cluster, certificates. It is not closed, and none
   * of its options is changed. It should connect again by itself, as ioredis does by default.
   */
  readonly client?: Redis | Cluster | undefined
  /**
   * Prefix of all keys. Clients with the same prefix share budgets.
   *
   * @default "clientele"
   */
  readonly prefix?: string | undefined
  /**
   * Bounds an answer and the first connection, before each process counts for itself; more than the longest
   * round trip. Numbers are milliseconds.
   *
   * @default "1 second"
   */
  readonly commandTimeout?: Duration.DurationInput | undefined
}

/**
 * The store until the scope closes, to be provided by hand. It is made even if Redis is unreachable.
 *
 * Fails with an `OptionsError` that names the option that can't be used.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<StoreService, OptionsError, Scope.Scope> => internal.make(options)

/**
 * Budgets in Redis for the client layers that it is provided to. When it closes, answers that are due are waited for, no
 * longer than `commandTimeout`, and the connection is closed.
 *
 * @example
 * ```ts
 * import * as ClientLayer from "clientele/ClientLayer"
 * import * as QuotaRedis from "clientele/QuotaRedis"
 * import * as Layer from "effect/Layer"
 *
 * export const clients = ClientLayer.layer().pipe(Layer.provide(QuotaRedis.layer({ url: "redis://127.0.0.1:6379" })))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<never, OptionsError> => Layer.scoped(Store, make(options))

/**
 * The same with options from the environment, where a client of your own can't come from.
 *
 * @example
 * ```ts
 * import * as QuotaRedis from "clientele/QuotaRedis"
 * import * as Config from "effect/Config"
 *
 * export const budgets = QuotaRedis.layerConfig({ url: Config.redacted("REDIS_URL") })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  config: Config.Config.Wrap<Omit<Options, "client">>
): Layer.Layer<never, ConfigError | OptionsError> =>
  Layer.scoped(Store, Effect.flatMap(Config.unwrap(config), internal.make))
