import { AsyncLocalStorage } from "node:async_hooks"
import { describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Provider from "../../src/Provider.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { ask, subjects } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

interface Toy {
  readonly serial: number
}

class ToyClient extends Context.Tag("test/ToyClient")<ToyClient, Toy>() {}

const options = { apiKey: Redacted.make("k"), baseURL: "http://127.0.0.1:9" }

/** A provider whose SDK is this function. */
const toy = (construct: () => Toy) => Provider.make({ tag: ToyClient, spec: { id: "toy" }, construct })

/** A provider with a layer of its own, as one whose SDK starts asynchronously would have. */
const toyLayer = (build: Effect.Effect<Toy, never, Scope.Scope>) => {
  const provider = toy(() => ({ serial: 0 }))
  return ClientMap.accessors({ ...provider, layer: () => Layer.scoped(ToyClient, build) })
}

/** A logger that keeps its lines. */
const recorder = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    lines.push(`${logLevel.label} ${String(message)}`)
  })
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}

class Tenant extends Context.Tag("test/Tenant")<Tenant, string>() {}

describe("a construction", () => {
  it.live("that fails is a typed error, and the next lease builds at once", () =>
    Effect.gen(function* () {
      let builds = 0
      const broken = new Error("no such region")
      const { get, use } = ClientMap.accessors(
        toy(() => {
          if (++builds === 1) throw broken
          return { serial: builds }
        })
      )
      const error = yield* Effect.flip(Effect.scoped(get(options)))
      assert.strictEqual(error._tag === "PoolError" && error.reason, "Construct")
      assert.strictEqual(error._tag === "PoolError" && error.cause, broken)
      assert.include(error.message, "no such region")
      // The idle time is a minute: a failure that were remembered would be met again.
      assert.strictEqual(yield* use(options, (client) => Promise.resolve(client.serial)), 2)
      assert.strictEqual((yield* Effect.scoped(get(options))).serial, 2)
      const { built, failed, hits, misses } = yield* ClientMap.stats
      assert.deepStrictEqual({ built, failed, hits, misses }, { built: 1, failed: 1, hits: 1, misses: 2 })
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.live("is for all waiters: the first one's interruption is its own", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      let builds = 0
      const { get } = toyLayer(
        Effect.suspend(() => {
          builds++
          return Effect.as(Deferred.await(gate), { serial: builds })
        })
      )
      const [first, ...others] = yield* Effect.forEach([1, 2, 3, 4], () => Effect.fork(Effect.scoped(get(options))))
      yield* eventually(ClientMap.stats, ({ hits, misses }) => hits === 3 && misses === 1)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(first!)))
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* Effect.forEach(others, Fiber.join), [{ serial: 1 }, { serial: 1 }, { serial: 1 }])
      assert.strictEqual(builds, 1)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.live("without waiters is interrupted, and the next lease builds anew", () =>
    Effect.gen(function* () {
      const ends: Array<string> = []
      let builds = 0
      const { get } = toyLayer(
        Effect.suspend(() => {
          const serial = ++builds
          return serial === 1
            ? Effect.onInterrupt(Effect.never, () => Effect.sync(() => ends.push("interrupted")))
            : Effect.succeed({ serial })
        })
      )
      const both = yield* Effect.forEach([1, 2], () => Effect.fork(Effect.scoped(get(options))))
      yield* eventually(ClientMap.stats, ({ hits, misses }) => hits === 1 && misses === 1)
      yield* eventually(
        Effect.sync(() => builds),
        (begun) => begun === 1
      )
      yield* Effect.forEach(both, Fiber.interrupt)
      assert.deepStrictEqual(yield* Effect.scoped(get(options)), { serial: 2 })
      assert.deepStrictEqual(ends, ["interrupted"])
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.live("and a release are independent of the first caller: services, FiberRefs, spans, logger, async context", () =>
    Effect.gen(function* () {
      const region = FiberRef.unsafeMake("nowhere")
      const storage = new AsyncLocalStorage<string>()
      const seen: Array<Record<string, unknown>> = []
      const look = (when: string) =>
        Effect.gen(function* () {
          yield* Effect.log(when)
          const services = yield* Effect.context<never>()
          seen.push({
            when,
            tenant: Context.getOption(services, Tenant)._tag,
            region: yield* FiberRef.get(region),
            span: (yield* Effect.option(Effect.currentSpan))._tag,
            annotations: [...(yield* Effect.logAnnotations)].length,
            storage: storage.getStore()
          })
        })
      const { get } = toyLayer(
        Effect.gen(function* () {
          yield* Effect.addFinalizer(() => look("released"))
          yield* Effect.sleep(5)
          yield* look("built")
          return { serial: 1 }
        })
      )
      const [layerLog, tenantLog] = [recorder(), recorder()]
      const agent = Effect.scoped(Effect.zipRight(get(options), Effect.log("the agent's own"))).pipe(
        Effect.withSpan("agent of tenant A"),
        Effect.annotateLogs("tenant", "A"),
        Effect.provideService(Tenant, "A"),
        Effect.locally(region, "eu-1"),
        Effect.provide(tenantLog.layer)
      )
      const program = Effect.gen(function* () {
        const context = yield* Effect.context<ClientMap.ClientMap>()
        const run = () => Effect.runPromise(Effect.provide(agent, context))
        yield* Effect.promise(() => storage.run("A", run))
      })
      yield* Effect.provide(program, Layer.provide(ClientLayer.layer({ idleTimeToLive: 0 }), layerLog.layer))
      const nothing = {
        tenant: "None",
        region: "nowhere",
        span: "None",
        annotations: 0,
        storage: undefined
      }
      assert.deepStrictEqual(seen, [
        { when: "built", ...nothing },
        { when: "released", ...nothing }
      ])
      assert.deepStrictEqual(layerLog.lines, ["INFO built", "INFO released"])
      assert.deepStrictEqual(tenantLog.lines, ["INFO the agent's own"])
    })
  )
})

for (const subject of subjects) {
  it.live(`a client of ${subject.name} is one for two tenants, and neither is seen by the other`, () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const config = yield* subject.config(sandbox)
      const storage = new AsyncLocalStorage<string>()
      const context = yield* Effect.context<ClientMap.ClientMap>()
      const as = (tenant: string) =>
        Effect.promise(() =>
          storage.run(tenant, () =>
            Effect.runPromise(
              Effect.provide(
                subject.use(config, async (client) => {
                  await ask(client)
                  return { client, tenant: storage.getStore() }
                }),
                context
              )
            )
          )
        )
      const [a, b] = yield* Effect.all([as("A"), as("B")], { concurrency: "unbounded" })
      assert.strictEqual(a.client, b.client)
      // A fiber that has waited goes on in the async context of what it waited for: none, but never a neighbour's.
      assert.include(["A", undefined], a.tenant)
      assert.include(["B", undefined], b.tenant)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
}

const leases = (levels: Layer.Layer<never>) =>
  Effect.gen(function* () {
    const { layer, lines } = recorder()
    const { get } = ClientMap.accessors(toy(() => ({ serial: 1 })))
    const twice = Effect.scoped(Effect.zipRight(get(options), get(options)))
    yield* Effect.provide(twice, Layer.provide(ClientLayer.layer({ idleTimeToLive: 0 }), Layer.merge(layer, levels)))
    return lines
  })

describe("logs of the layer", () => {
  it.live("have hit, miss, build and release at minimum level Debug", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* leases(Logger.minimumLogLevel(LogLevel.Debug)), [
        "DEBUG client miss",
        "DEBUG client built",
        "DEBUG client hit",
        "DEBUG client released"
      ])
    })
  )

  it.live("are empty otherwise", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* leases(Layer.empty), [])
    })
  )

  it.live("have one warning for each lease held too long, naming fiber and span", () => {
    const { layer, lines } = recorder()
    return Effect.gen(function* () {
      const { get, use } = ClientMap.accessors(toy(() => ({ serial: 1 })))
      yield* Effect.scoped(get(options))
      yield* use(options, () => Promise.resolve())
      const scope = yield* Scope.make()
      const taker = yield* Effect.fork(Effect.withSpan(Scope.extend(get(options), scope), "leaky.agent"))
      yield* Fiber.join(taker)
      yield* eventually(
        Effect.sync(() => lines.length),
        (count) => count > 0
      )
      yield* Effect.sleep(400)
      assert.strictEqual(lines.length, 1)
      assert.match(lines[0]!, /^WARN toy \(http:\/\/127.0.0.1:9\): client \S+ has been held for more than 1000 ms by/)
      assert.include(lines[0], "span leaky.agent")
      assert.match(lines[0]!, /fiber #\d+/)
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.provide(ClientLayer.layer({ leakWarning: 1_000 })), Effect.provide(layer))
  })
})
