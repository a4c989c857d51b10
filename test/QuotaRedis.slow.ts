import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import fc from "fast-check"
import { Cluster, Redis } from "ioredis"
import { OptionsError } from "../src/ClientError.ts"
import type { Store as StoreService } from "../src/internal/quota/store.ts"
import { Store } from "../src/internal/quota/storeTag.ts"
import * as QuotaRedis from "../src/QuotaRedis.ts"
import { run as runChild } from "./support/child.ts"
import * as RedisServer from "./support/redis.ts"
import { rates, recorder, connect, open, processOf, reserve, refused, available } from "./support/stores.ts"
import { eventually } from "./support/wait.ts"

describe("a budget that processes share in Redis", () => {
  it.scopedLive("is one for all: permits that one process takes or corrects are gone for the others", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const [a, b] = [yield* processOf(port), yield* processOf(port)]
      assert.strictEqual((yield* reserve(a)).taken, 1)
      const second = yield* reserve(b)
      assert.strictEqual(second.taken, 0)
      assert.isAbove(second.wait, 0)
      assert.isAtMost(second.wait, 10_000)
      a.budget("digest", "model").correct(-1, 0, rates)
      const third = yield* eventually(reserve(b), ({ taken }) => taken === 1)
      assert.deepInclude(third, { taken: 1, wait: 0, closed: 0, tokensLeft: Infinity, after: [0] })
    })
  )

  it.scopedLive("is another for each model, credential and prefix", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const [store, other] = [yield* processOf(port), yield* processOf(port, { prefix: "mine" })]
      const budgets = [store.budget("a", "m"), store.budget("a", "n"), store.budget("b", "m"), other.budget("a", "m")]
      const grants = yield* Effect.promise(() => Promise.all(budgets.map((one) => one.reserve([1], rates))))
      assert.deepStrictEqual(
        grants.map(({ taken }) => taken),
        [1, 1, 1, 1]
      )
      const redis = yield* connect(port)
      assert.deepStrictEqual((yield* Effect.promise(() => redis.keys("*:quota:{*"))).sort(), [
        "clientele:quota:{a}:m",
        "clientele:quota:{a}:n",
        "clientele:quota:{b}:m",
        "mine:quota:{a}:m"
      ])
    })
  )

  it.scopedLive("holds under any number of requests, and is used up", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const stores = [yield* processOf(port), yield* processOf(port)]
      const redis = yield* connect(port)
      const serverTime = () => redis.time().then(([seconds, micros]) => Number(seconds) * 1000 + Number(micros) / 1000)
      let turn = 0
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(
            fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 20 }),
            fc.integer({ min: 6_000, max: 120_000 }),
            fc.integer({ min: 1, max: 5 }),
            async (counts, requestsPerMinute, burst) => {
              const model = `model ${turn++}`
              const asked = { requestsPerMinute, tokensPerMinute: Infinity, burst }
              const start = await serverTime()
              const until = performance.now() + 400
              let furthest = 0
              /** Returns when each that it took for departs. */
              const worker = async (store: StoreService, first: number): Promise<Array<number>> => {
                const budget = store.budget("digest", model)
                const departures: Array<number> = []
                for (let step = first; performance.now() < until; step++) {
                  const costs = Array.from({ length: counts[step % counts.length]! }, () => 1)
                  furthest = Math.max(furthest, budget.ahead!())
                  const { after, taken, wait } = await budget.reserve(costs, asked)
                  const now = performance.now()
                  assert.lengthOf(after!, taken)
                  for (const ms of after!) departures.push(now + ms)
                  await new Promise((resolve) => setTimeout(resolve, taken === costs.length ? 0 : wait))
                }
                return departures
              }
              const departures = (await Promise.all(stores.map(worker))).flat()
              const now = performance.now()
              const departed = departures.filter((at) => at <= now).length
              const passed = (await serverTime()) - start
              const allowed = (ms: number) => (ms * requestsPerMinute) / 60_000 + burst
              assert.isAtMost(departed, allowed(passed))
              assert.isAtLeast(departed, 2, "it goes on")
              // Permits taken for later were requested, and are paid for then.
              assert.isAtMost(Math.max(...departures) - now, furthest + 1)
              assert.isAtMost(departures.length, allowed(passed + furthest))
            }
          ),
          { numRuns: 4 }
        )
      )
    })
  )

  it.scopedLive("is closed for all by a Retry-After that one met, which a shorter one never shortens", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const [a, b] = [yield* processOf(port), yield* processOf(port)]
      const closedFor = (ms: number) =>
        eventually(reserve(b), ({ closed, taken }) => taken === 0 && closed > ms - 5_000 && closed <= ms)
      a.budget("digest", "model").close(60_000)
      yield* closedFor(60_000)
      b.budget("digest", "model").close(1_000)
      const grant = yield* closedFor(60_000)
      assert.isAtLeast(grant.wait, grant.closed)
      b.budget("digest", "model").close(90_000)
      yield* closedFor(90_000)
      for (const odd of [Number.NaN, -1, 0]) b.budget("digest", "model").close(odd)
      yield* closedFor(90_000)
      b.budget("digest", "model").close(Infinity)
      assert.isAbove((yield* eventually(reserve(a), ({ closed }) => closed > 90_000)).closed, 2 ** 31 - 10_000)
    })
  )

  it.scopedLive("leaves nothing in Redis a minute after it has been paid for", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const store = yield* processOf(port)
      yield* reserve(store)
      const redis = yield* connect(port)
      const key = "clientele:quota:{digest}:model"
      assert.deepStrictEqual(yield* Effect.promise(() => redis.type(key)), "hash")
      const left = () => redis.pttl(key)
      const afterOne = yield* Effect.promise(left)
      assert.isAbove(afterOne, 55_000)
      assert.isAtMost(afterOne, 70_001)
      store.budget("digest", "model").correct(10, 0, rates)
      assert.isAtMost(yield* eventually(Effect.promise(left), (ms) => ms > 120_000), 170_001)
      store.budget("digest", "model").close(600_000)
      assert.isAtMost(yield* eventually(Effect.promise(left), (ms) => ms > 500_000), 660_001)
      for (const name of yield* Effect.promise(() => redis.keys("*"))) {
        assert.isAbove(yield* Effect.promise(() => redis.pttl(name)), 0, name)
      }
    })
  )

  it.scopedLive("outlives the scripts: they are loaded again after SCRIPT FLUSH", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const store = yield* processOf(port)
      yield* reserve(store)
      const redis = yield* connect(port)
      yield* Effect.promise(() => redis.script("FLUSH"))
      const models = ["model", "b", "c"].map((model) => store.budget("digest", model).reserve([1], rates))
      const grants = yield* Effect.promise(() => Promise.all(models))
      assert.deepStrictEqual(
        grants.map(({ taken }) => taken),
        [0, 1, 1]
      )
    })
  )

  it.scopedLive("costs one write for all models that are asked for at once", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const store = yield* processOf(port)
      const budgets = Array.from({ length: 20 }, (_, index) => store.budget("digest", `model ${index}`))
      const redis = yield* connect(port)
      const reads = async () => Number(/total_reads_processed:(\d+)/.exec(await redis.info("stats"))?.[1])
      const both = async () => {
        await Promise.all(budgets.map((one) => one.reserve([1], rates)))
        const before = await reads()
        await Promise.all(budgets.map(async (one) => Promise.resolve().then(() => one.reserve([1], rates))))
        return (await reads()) - before
      }
      assert.isAtMost(yield* Effect.promise(both), 3)
    })
  )

  it.scopedLive("asks for four thousand at a time, however many wait", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const store = yield* processOf(port)
      const free = { requestsPerMinute: Infinity, tokensPerMinute: 1e12, burst: 5_000 }
      const { taken, wait } = yield* reserve(store, 4_200, free)
      assert.deepStrictEqual([taken, wait], [4_000, 1])
    })
  )

  it.scopedLive("lives in a cluster too, where the keys of several credentials are on several nodes", () =>
    Effect.gen(function* () {
      const node = Effect.gen(function* () {
        const bus = yield* Effect.promise(RedisServer.freePort)
        const flags = ["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", "--cluster-port", `${bus}`]
        const { port } = yield* RedisServer.make(flags)
        const admin = yield* connect(port)
        return {
          bus,
          port,
          order: (...args: ReadonlyArray<string>) => Effect.promise(() => admin.call("CLUSTER", ...args))
        }
      })
      const [a, b] = [yield* node, yield* node]
      yield* a.order("ADDSLOTSRANGE", "0", "8191")
      yield* b.order("ADDSLOTSRANGE", "8192", "16383")
      yield* a.order("MEET", "127.0.0.1", `${b.port}`, `${b.bus}`)
      for (const { order } of [a, b]) {
        yield* eventually(order("INFO"), (text) => /cluster_state:ok[^]*cluster_known_nodes:2/.test(String(text)))
      }
      const cluster = yield* Effect.acquireRelease(
        Effect.sync(() => new Cluster([{ host: "127.0.0.1", port: a.port }])),
        (cluster) => Effect.sync(() => cluster.disconnect())
      )
      const store = yield* open({ client: cluster })
      yield* available(store, true)
      const budgets = Array.from({ length: 10 }, (_, index) => store.budget(`digest ${index}`, "model"))
      const all = Effect.promise(() => Promise.all(budgets.map((one) => one.reserve([1], rates))))
      for (const taken of [1, 0]) {
        assert.deepStrictEqual(
          (yield* all).map((grant) => grant.taken),
          budgets.map(() => taken)
        )
      }
    })
  )
})

describe("the layer", () => {
  it.scopedLive("provides the store, and closes its connection with its scope", () =>
    Effect.gen(function* () {
      const { port, url } = yield* RedisServer.make()
      const redis = yield* connect(port)
      const names = Effect.promise(async () =>
        String(await redis.client("LIST"))
          .split("\n")
          .filter((line) => line.includes(" name=clientele "))
      )
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        QuotaRedis.layer({ url, prefix: "app", commandTimeout: "10 seconds" }),
        scope
      )
      const store = yield* Effect.provide(Store, context)
      assert.strictEqual((yield* reserve(store!)).taken, 1)
      assert.strictEqual((yield* names).length, 1)
      store!.budget("digest", "model").correct(100, 0, rates)
      yield* Scope.close(scope, Exit.void)
      yield* eventually(names, (lines) => lines.length === 0)
      assert.match(yield* refused(store!), /^Redis is unavailable/)
      assert.isAbove(
        yield* Effect.promise(() => redis.pttl("app:quota:{digest}:model")),
        150_000,
        "the last correction"
      )
    })
  )

  it.scopedLive("closes in time although Redis hangs", () =>
    Effect.gen(function* () {
      const { lines, layer: logger } = recorder()
      const { pause, url } = yield* RedisServer.make()
      const scope = yield* Scope.make()
      const store = yield* QuotaRedis.make({ url, commandTimeout: 100 }).pipe(
        Scope.extend(scope),
        Effect.provide(logger)
      )
      yield* pause
      store.budget("digest", "model").correct(1, 0, rates)
      yield* Scope.close(scope, Exit.void).pipe(Effect.timeoutFail({ duration: 5_000, onTimeout: () => "still open" }))
      assert.deepStrictEqual(lines, [])
    })
  )

  it.scopedLive("leaves a client of the user's own as it was", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const redis = yield* connect(port)
      yield* Effect.promise(() => redis.ping())
      const events = ["ready", "error", "close", "end", "connect"]
      const before = events.map((event) => redis.listenerCount(event))
      const options = { ...redis.options }
      const store = yield* Effect.scoped(
        Effect.tap(open({ client: redis }), (store) =>
          Effect.map(reserve(store), ({ taken }) => assert.strictEqual(taken, 1))
        )
      )
      assert.isFalse(store.isAvailable())
      assert.deepStrictEqual(
        events.map((event) => redis.listenerCount(event)),
        before
      )
      assert.deepStrictEqual({ ...redis.options }, options)
      assert.strictEqual(yield* Effect.promise(() => redis.ping()), "PONG")
    })
  )

  it.scopedLive("connects a lazy client, and reports one that has been closed", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const lazy = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis({ port, lazyConnect: true })),
        (redis) => Effect.sync(() => redis.disconnect())
      )
      assert.isTrue((yield* open({ client: lazy })).isAvailable())
      const { lines, layer: logger } = recorder()
      const ended = new Redis(port)
      yield* Effect.promise(() => ended.quit())
      yield* eventually(
        Effect.sync(() => ended.status),
        (status) => status === "end"
      )
      const store = yield* open({ client: ended }).pipe(Effect.provide(logger))
      assert.isFalse(store.isAvailable())
      assert.match(lines.join("\n"), /^WARN Redis can't count quotas: the connection was closed; /)
    })
  )

  it.scopedLive("keeps no process alive, whether Redis is there or not", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const there = yield* runChild("redis.ts", [`${server.port}`])
      const first = yield* Effect.promise(() => there.ended)
      yield* server.kill
      const away = yield* runChild("redis.ts", [`${server.port}`])
      const second = yield* Effect.promise(() => away.ended)
      assert.deepStrictEqual(
        [first, second].map(({ code, stderr, stdout }) => [code, stdout, stderr]),
        [
          [0, "taken 1\n", ""],
          [0, "refused\n", ""]
        ]
      )
    })
  )

  it.scopedLive("reads its options from the environment", () =>
    Effect.gen(function* () {
      const { url } = yield* RedisServer.make()
      const layer = QuotaRedis.layerConfig({ url: Config.redacted("REDIS_URL"), prefix: Config.string("REDIS_PREFIX") })
      const provider = ConfigProvider.fromMap(
        new Map([
          ["REDIS_URL", url],
          ["REDIS_PREFIX", "env"]
        ])
      )
      const taken = Effect.flatMap(Store, (store) => reserve(store!)).pipe(
        Effect.provide(layer),
        Effect.withConfigProvider(provider)
      )
      assert.strictEqual((yield* taken).taken, 1)
    })
  )

  const secret = "sk-secret"
  const wrong: ReadonlyArray<readonly [options: unknown, message: RegExp]> = [
    [{}, /^QuotaRedis: option url is undefined; expected a URL like redis:/],
    [{ url: "" }, /^QuotaRedis: option url is an empty string; expected a URL like/],
    [{ url: 6379 }, /^QuotaRedis: option url is 6379; /],
    [{ url: secret }, /^QuotaRedis: option url is a string of 9 characters that is not such a URL; /],
    [
      { url: `https://${secret}@host` },
      /^QuotaRedis: option url is a string of \d+ characters that is not such a URL; /
    ],
    [
      { url: Redacted.make(`redis://u:${secret}@host/?family=6`) },
      /^QuotaRedis: option url is a URL with parameters; /
    ],
    [{ url: `redis://u:${secret}@host/name` }, /^QuotaRedis: option url is a URL whose path is not a number; /],
    [{ url: `redis://u:${secret}%@host` }, /^QuotaRedis: option url is a URL with an invalid percent-encoding; /],
    [{ client: "redis" }, /^QuotaRedis: option client is a string of 5 characters; expected an ioredis client/],
    [{ client: {} }, /^QuotaRedis: option client is an object of another kind; expected an ioredis client/],
    [
      { url: "redis://host", client: new Redis({ lazyConnect: true }) },
      /^QuotaRedis: option client is given beside url; /
    ],
    [{ url: "redis://host", prefix: " " }, /^QuotaRedis: option prefix is empty; /],
    [{ url: "redis://host", commandTimeout: 0 }, /^QuotaRedis: option commandTimeout is 0; /],
    [{ url: "redis://host", commandTimeout: Infinity }, /^QuotaRedis: option commandTimeout is Infinity; /],
    [{ URL: "redis://host" }, /^QuotaRedis: option URL is unknown; expected one of url, client, prefix, commandTimeout/]
  ]
  it.effect("names the invalid option, and never quotes a URL", () =>
    Effect.forEach(wrong, ([options, message]) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Effect.scoped(QuotaRedis.make(options as QuotaRedis.Options)))
        assert.instanceOf(error, OptionsError)
        assert.match(error.message, message)
        assert.notInclude(inspect(error), secret)
      })
    )
  )
})
