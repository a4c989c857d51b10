/** A store for as long as a scope is open, which logs changes of Redis through its maker's logger. */
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import { OptionsError } from "../../../ClientError.ts"
import type { Options } from "../../../QuotaRedis.ts"
import type { Store } from "../store.ts"
import * as Connection from "./connection.ts"
import { makeStore } from "./makeStore.ts"
import { type Plan, read } from "./options.ts"

const start = ({ commandTimeout, prefix, redis }: Plan, log: (line: Effect.Effect<void>) => void) => {
  const connection = "target" in redis ? Connection.open(redis.target) : undefined
  const name = "target" in redis ? `Redis at ${redis.target.host}:${redis.target.port}` : "Redis"
  const store = makeStore("client" in redis ? redis.client : connection!.client, {
    prefix,
    commandTimeout,
    onDown: (reason) => {
      log(Effect.logWarning(`${name} can't count quotas: ${reason}; until it recovers, each process counts for itself`))
    },
    onUp: () => log(Effect.logInfo(`${name} counts quotas again`)),
    onSlow: (roundTrip) => {
      log(
        Effect.logWarning(
          `${name} responds too slowly for the quotas counted there: requests wait although budget is left. ` +
            `A round trip takes ${Math.round(roundTrip)} ms; move Redis closer, or raise maxConcurrency if it holds requests back`
        )
      )
    },
    onQuick: () => log(Effect.logInfo(`${name} responds in time for the quotas again`)),
    // A command without a reply may have gone nowhere: a dead connection can look alive for a quarter of an hour.
    onTimeout: () => connection?.renew()
  })
  const stop = async (): Promise<void> => {
    await store.stop()
    connection?.close()
  }
  return { store, stop }
}

export const make = (options: Options): Effect.Effect<Store, OptionsError, Scope.Scope> =>
  Effect.gen(function* () {
    const plan = read(options)
    if (plan instanceof OptionsError) return yield* plan
    const runtime = yield* Effect.runtime()
    const { store } = yield* Effect.acquireRelease(
      Effect.sync(() => start(plan, (line) => void Runtime.runFork(runtime)(line))),
      ({ stop }) => Effect.promise(stop)
    )
    yield* Effect.promise(() => store.known)
    return store
  })
