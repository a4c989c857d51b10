import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { Redis } from "ioredis"
import * as QuotaRedis from "../../../src/QuotaRedis.ts"
import * as RedisServer from "../../support/redis.ts"
import { rates, recorder, connect, open, connectionOf, reserve, refused, available } from "../../support/stores.ts"

describe("a Redis that goes away", () => {
  it.scopedLive("logs one warning, and counts again by itself when it is back", () =>
    Effect.gen(function* () {
      const { lines, layer: logger } = recorder()
      const server = yield* RedisServer.make()
      yield* Effect.gen(function* () {
        const store = yield* open({ url: server.url })
        assert.strictEqual((yield* reserve(store)).taken, 1)
        assert.strictEqual((yield* reserve(store)).taken, 0)
        yield* server.kill
        yield* available(store, false)
        assert.match(yield* refused(store), /^Redis is unavailable/)
        store.budget("digest", "model").correct(1, 1, rates)
        store.budget("digest", "model").close(1)
        yield* Effect.sleep(300)
        assert.strictEqual(lines.length, 1)
        assert.match(
          lines[0]!,
          /^WARN Redis at 127\.0\.0\.1:\d+ can't count quotas: .+; until it recovers, each process counts for itself$/
        )
        yield* server.start
        yield* available(store, true)
        assert.deepStrictEqual(lines.slice(1), [`INFO Redis at 127.0.0.1:${server.port} counts quotas again`])
        assert.strictEqual((yield* reserve(store)).taken, 1, "it forgot all")
        assert.strictEqual((yield* reserve(store)).taken, 0, "and limits hold again")
      }).pipe(Effect.provide(logger))
    })
  )

  it.scopedLive("rejects at once calls made when the connection broke, and takes no budget for them later", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      // ioredis by default sends again what had no answer.
      const redis = yield* connect(server.port)
      const { layer: logger } = recorder()
      const store = yield* open({ client: redis }).pipe(Effect.provide(logger))
      yield* server.pause
      const asked = yield* Effect.fork(refused(store))
      yield* Effect.sleep(50)
      yield* server.kill
      assert.match(yield* Fiber.join(asked), /^Redis command failed: (the connection was closed|read ECONNRESET)$/)
      yield* server.start
      yield* available(store, true)
      assert.strictEqual((yield* reserve(store)).taken, 1)
    })
  )

  it.scopedLive("may hang: then no request waits longer for it than commandTimeout", () =>
    Effect.gen(function* () {
      const { lines, layer: logger } = recorder()
      const server = yield* RedisServer.make()
      yield* Effect.gen(function* () {
        const store = yield* QuotaRedis.make({ url: server.url, commandTimeout: 150 })
        const admin = yield* connect(server.port)
        const connection = yield* connectionOf(admin)
        yield* server.pause
        assert.strictEqual(yield* refused(store), "Redis command failed: no reply within 150 ms")
        assert.isFalse(store.isAvailable())
        assert.deepStrictEqual(lines.length, 1)
        yield* server.resume
        yield* available(store, true)
        yield* reserve(store)
        assert.strictEqual((yield* reserve(store)).taken, 0, "limits hold")
        assert.match(connection, /^id=/)
        assert.notStrictEqual(
          yield* connectionOf(admin),
          connection,
          "a connection that was silent is not trusted again"
        )
      }).pipe(Effect.provide(logger))
    })
  )

  const refusals = [
    {
      name: "has no memory left",
      set: ["CONFIG", "SET", "maxmemory", "1"],
      undo: ["CONFIG", "SET", "maxmemory", "0"],
      reason: "OOM"
    },
    {
      name: "became a replica",
      set: ["REPLICAOF", "127.0.0.1", "1"],
      undo: ["REPLICAOF", "NO", "ONE"],
      reason: "READONLY"
    },
    {
      name: "no longer lets scripts run",
      set: ["ACL", "SETUSER", "default", "-evalsha"],
      undo: ["ACL", "SETUSER", "default", "+evalsha"],
      reason: "NOPERM"
    }
  ]
  for (const { name, reason, set, undo } of refusals) {
    it.scopedLive(`counts as away while it ${name}`, () =>
      Effect.gen(function* () {
        const { lines, layer: logger } = recorder()
        const server = yield* RedisServer.make()
        const admin = yield* connect(server.port)
        const order = ([command = "", ...args]: ReadonlyArray<string>) =>
          Effect.promise(() => admin.call(command, ...args))
        yield* Effect.gen(function* () {
          const store = yield* open({ url: server.url })
          const connection = yield* connectionOf(admin)
          yield* order(set)
          assert.include(yield* refused(store), reason)
          assert.isFalse(store.isAvailable())
          yield* Effect.sleep(300)
          assert.strictEqual(lines.length, 1)
          assert.match(lines[0]!, new RegExp(`^WARN Redis at \\S+ can't count quotas: .*${reason}`))
          yield* order(undo)
          yield* available(store, true)
          assert.strictEqual(lines.length, 2)
          assert.strictEqual((yield* reserve(store)).taken, 1)
          // A replica's name may lead to the new primary by now.
          assert.strictEqual((yield* connectionOf(admin)) === connection, reason !== "READONLY")
        }).pipe(Effect.provide(logger))
      })
    )
  }

  it.scopedLive("does not keep an app from starting", () =>
    Effect.gen(function* () {
      const { lines, layer: logger } = recorder()
      const server = yield* RedisServer.make()
      yield* server.kill
      const store = yield* open({ url: server.url }).pipe(Effect.provide(logger))
      assert.isFalse(store.isAvailable())
      assert.match(lines.join("\n"), /^WARN Redis at 127\.0\.0\.1:\d+ can't count quotas: connect ECONNREFUSED [^\n]+$/)
      yield* server.start
      yield* available(store, true)
    })
  )
})

/** All that a log and a curious person see. */
const seen = (lines: ReadonlyArray<string>, ...things: ReadonlyArray<unknown>) =>
  lines.join("\n") + things.map((thing) => inspect(thing, { depth: 9 }) + JSON.stringify(thing)).join("\n")

describe("a password", () => {
  const secret = "p@ss/w0rd-of-redis"
  it.scopedLive("opens Redis, from a URL with everything escaped", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make(["--requirepass", secret])
      const url = Redacted.make(`redis://default:${encodeURIComponent(secret)}@localhost:${port}/2`)
      const store = yield* open({ url })
      assert.strictEqual((yield* reserve(store)).taken, 1)
      const redis = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis({ port, password: secret, db: 2 })),
        (redis) => Effect.sync(() => redis.disconnect())
      )
      assert.strictEqual(yield* Effect.promise(() => redis.exists("clientele:quota:{digest}:model")), 1)
    })
  )

  const cases = [
    { name: "that is wrong", flags: ["--requirepass", "another"], user: "default", reason: "WRONGPASS" },
    {
      name: "that Redis quotes in its error",
      flags: ["--rename-command", "AUTH", ""],
      user: "",
      reason: "unknown command"
    }
  ]
  for (const { flags, name, reason, user } of cases) {
    it.scopedLive(`${name} is reported as such, and printed nowhere`, () =>
      Effect.gen(function* () {
        const { lines, layer: logger } = recorder()
        const { port } = yield* RedisServer.make(flags)
        const url = `redis://${user}:${encodeURIComponent(secret)}@127.0.0.1:${port}`
        const store = yield* open({ url: Redacted.make(url) }).pipe(Effect.provide(logger))
        const refusal = yield* refused(store)
        yield* Effect.sleep(200)
        assert.strictEqual(lines.length, 1)
        assert.include(lines[0], reason)
        assert.notInclude(seen(lines, store, refusal), secret)
      })
    )
  }

  it.scopedLive("that is missing is reported as such", () =>
    Effect.gen(function* () {
      const { lines, layer: logger } = recorder()
      const { url } = yield* RedisServer.make(["--requirepass", secret])
      yield* open({ url }).pipe(Effect.provide(logger))
      assert.match(lines.join("\n"), /^WARN .+ NOAUTH [^\n]+$/)
    })
  )
})
