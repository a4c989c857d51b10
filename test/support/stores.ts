/** Stores in Redis, as processes have them, and what tests ask of them. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { Redis } from "ioredis"
import { makeStore, type Settings } from "../../src/internal/quota/redis/makeStore.ts"
import type { Rates, Store as StoreService } from "../../src/internal/quota/store.ts"
import * as QuotaRedis from "../../src/QuotaRedis.ts"
import { eventually } from "./wait.ts"

/** So few that none comes back while a test goes on. */
export const rates: Rates = { requestsPerMinute: 6, tokensPerMinute: Infinity, burst: 1 }

/** A logger that keeps its lines. */
export const recorder = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    lines.push(`${logLevel.label} ${String(message)}`)
  })
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}

/** A client of the test's own, as a user would make it. */
export const connect = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis(port).on("error", () => {})),
    (redis) => Effect.sync(() => redis.disconnect())
  )

/** A store with the patience that busy machines need. */
export const open = (options: QuotaRedis.Options) => QuotaRedis.make({ commandTimeout: "10 seconds", ...options })

/** Which connection of a store it is, as Redis knows it. */
export const connectionOf = (admin: Redis) =>
  Effect.promise(async () => /id=\d+(?=.* name=clientele )/.exec(String(await admin.client("LIST")))?.[0] ?? "none")

/** A process's view of the budgets. */
export const processOf = (port: number, settings: Partial<Settings> = {}) =>
  Effect.gen(function* () {
    const redis = yield* connect(port)
    const store = yield* Effect.acquireRelease(
      Effect.sync(() => makeStore(redis, { lateness: 0, commandTimeout: 10_000, ...settings })),
      (store) => Effect.promise(store.stop)
    )
    yield* Effect.promise(() => store.known)
    assert.isTrue(store.isAvailable())
    return store
  })

export const reserve = (store: StoreService, count = 1, asked = rates) =>
  Effect.promise(() =>
    store.budget("digest", "model").reserve(
      Array.from({ length: count }, () => 1),
      asked
    )
  )

export const refused = (store: StoreService) =>
  Effect.promise(() =>
    store
      .budget("digest", "model")
      .reserve([1], rates)
      .then(
        () => "not refused",
        (error: Error) => error.message
      )
  )

export const available = (store: StoreService, is: boolean) =>
  eventually(
    Effect.sync(() => store.isAvailable()),
    (it) => it === is
  )
