import { describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { AzureOpenAI, OpenAI } from "openai"
import { Groq } from "groq-sdk"
import { Cerebras } from "@cerebras/cerebras_cloud_sdk"
import { assert } from "vitest"
import * as AzureOpenAiClient from "../../src/AzureOpenAiClient.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Credential from "../../src/Credential.ts"
import * as GroqClient from "../../src/GroqClient.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { ask, subjects } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const classes = { openai: OpenAI, azure: AzureOpenAI, groq: Groq, cerebras: Cerebras }

/** HTTP/1.1 and HTTP/2, each with and without TLS. */
const roads = [
  { name: "HTTP/1.1", sandbox: { protocol: "http/1.1" }, transport: {} },
  { name: "HTTP/2 without TLS", sandbox: { protocol: "h2" }, transport: { http2: "prior-knowledge" } },
  { name: "HTTP/2 over TLS", sandbox: { protocol: "both", tls: true }, transport: {} },
  { name: "HTTP/1.1 over TLS", sandbox: { protocol: "http/1.1", tls: true }, transport: {} }
] as const

const key = "sk-contract-1"

for (const subject of subjects) {
  for (const road of roads) {
    describe(`${subject.name} over ${road.name}`, () => {
      it.live("answers, over one socket, with the caller's key and the SDK's own client", () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make(road.sandbox)
          const config = yield* subject.config(sandbox, { key, transport: road.transport })
          const client = yield* subject.get(config)
          assert.strictEqual(client.constructor, classes[subject.name])
          const first = yield* subject.ask(config, "one")
          assert.notStrictEqual(first, "")
          assert.strictEqual(yield* subject.ask(config, "one"), first)
          assert.notStrictEqual(yield* subject.ask(config, "two"), first)
          const { connections, requests, requestsByKey } = sandbox.stats()
          assert.strictEqual(requests, 3, "and no warm-up call")
          assert.strictEqual(connections.total, 1)
          assert.strictEqual(
            sandbox.stats().byConnection[0]?.protocol,
            road.name.startsWith("HTTP/2") ? "h2" : "http/1.1"
          )
          assert.deepStrictEqual([...requestsByKey], [[key, 3]])
        }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
      )

      it.live("streams the same answer piece by piece, and gives everything back", () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make(road.sandbox)
          const config = yield* subject.config(sandbox, { key, transport: road.transport })
          const whole = yield* subject.ask(config, "tell")
          const pieces = Chunk.toReadonlyArray(yield* Stream.runCollect(subject.stream(config, "tell")))
          assert.isAbove(pieces.length, 5)
          assert.strictEqual(pieces.join(""), whole)
          const { clients } = yield* ClientMap.stats
          assert.strictEqual(clients[0]?.leases, 0)
          yield* eventually(
            Effect.map(ClientMap.stats, (stats) => stats.clients[0]!.inFlight),
            (inFlight) => inFlight === 0
          )
        }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
      )

      it.live("closes its sockets when its layer closes", () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make(road.sandbox)
          const config = yield* subject.config(sandbox, { key, transport: road.transport })
          yield* Effect.provide(subject.ask(config), ClientLayer.layer())
          assert.strictEqual(sandbox.stats().connections.total, 1)
          yield* eventually(
            Effect.sync(() => sandbox.stats().connections.open),
            (open) => open === 0
          )
        }).pipe(Effect.scoped)
      )
    })
  }

  describe(subject.name, () => {
    it.live("gives equal options one client, and a config from the environment the same", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const config = yield* subject.config(sandbox, {
          key,
          timeout: "30 seconds",
          headers: { "X-A": "1", "x-b": "2" }
        })
        const same = yield* subject.config(sandbox, { key, timeout: 30_000, headers: { "x-B": "2", "x-a": "1" } })
        const other = yield* subject.config(sandbox, { key, timeout: 30_001, headers: { "x-B": "2", "x-a": "1" } })
        assert.strictEqual(same, config)
        const client = yield* subject.get(config)
        assert.strictEqual(yield* subject.get(same), client)
        assert.notStrictEqual(yield* subject.get(other), client)
        const { built, hits, misses } = yield* ClientMap.stats
        assert.deepStrictEqual({ built, hits, misses }, { built: 2, hits: 1, misses: 2 })
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("sends the config's headers and query, and none that only the process's environment has", () =>
      Effect.gen(function* () {
        const variable = { openai: "OPENAI", azure: "OPENAI", groq: "GROQ", cerebras: "CEREBRAS" }[subject.name]
        process.env[`${variable}_CUSTOM_HEADERS`] = "x-sandbox-fault: status=503"
        yield* Effect.addFinalizer(() => Effect.sync(() => delete process.env[`${variable}_CUSTOM_HEADERS`]))
        const sandbox = yield* Sandbox.make()
        const config = yield* subject.config(sandbox, { key, maxRetries: 0 })
        assert.notStrictEqual(yield* subject.ask(config), "")
        const failing = yield* subject.config(sandbox, {
          key,
          maxRetries: 0,
          headers: { "x-sandbox-fault": "status=418" }
        })
        const error = yield* Effect.flip(subject.ask(failing))
        assert.strictEqual(error._tag === "RequestError" && error.status, 418)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("invalidate: borrowers finish on the old client, the next get builds anew", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const config = yield* subject.config(sandbox, { key })
        const scope = yield* Scope.make()
        const old = yield* Scope.extend(subject.get(config), scope)
        yield* ClientMap.invalidate(config)
        const next = yield* subject.get(config)
        assert.notStrictEqual(next, old)
        assert.strictEqual(yield* subject.get(config), next)
        assert.notStrictEqual(yield* Effect.promise(() => ask(old)), "", "the old one still works")
        assert.strictEqual((yield* ClientMap.stats).released, 0)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* ClientMap.stats).released, 1)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("fails with the remedy for a client that was kept beyond its scope", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const config = yield* subject.config(sandbox, { key })
        const client = yield* Effect.scoped(subject.get(config))
        const late = yield* Effect.flip(
          Effect.flatMap(ClientMap.ClientMap, () => subject.use(config, () => ask(client)))
        )
        assert.strictEqual(late._tag, "PoolError")
        assert.strictEqual(late._tag === "PoolError" && late.reason, "Released")
        assert.match(late.message, /`use`, or with `get` in the scope that needs it/)
      }).pipe(Effect.provide(ClientLayer.layer({ idleTimeToLive: 0 })), Effect.scoped)
    )

    it.live("litellm#22925: a stream outlives the idle time, churn and capacity", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ tokens: 20, timePerToken: 25 })
        const config = yield* subject.config(sandbox, { key })
        const churn = Effect.forEach(
          Array.from({ length: 8 }, (_, i) => i),
          (i) =>
            Effect.flatMap(subject.config(sandbox, { key: `churn-${i}` }), (other) =>
              Effect.scoped(subject.get(other))
            ),
          { discard: true }
        )
        const churner = yield* Effect.fork(Effect.forever(Effect.zipRight(churn, Effect.sleep(5))))
        const pieces = yield* Stream.runCollect(subject.stream(config, "long"))
        yield* Fiber.interrupt(churner)
        assert.strictEqual(Chunk.size(pieces), 20)
        const { clients } = yield* eventually(ClientMap.stats, ({ built, released }) => built === released)
        assert.strictEqual(clients.length, 0)
      }).pipe(Effect.provide(ClientLayer.layer({ idleTimeToLive: 50, capacity: 2 })), Effect.scoped)
    )
  })
}

describe("Azure", () => {
  it.live("a key goes out as api-key, an Entra token as bearer, loaded once", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      let loads = 0
      const credential = Credential.make({
        id: "entra",
        load: Effect.delay(
          Effect.sync(() => {
            loads++
            return { secret: Redacted.make("entra-token"), expiresAt: new Date(Date.now() + 3_600_000) }
          }),
          20
        )
      })
      const options = {
        apiKey: credential,
        endpoint: sandbox.baseURL("azure"),
        apiVersion: "2024-10-21",
        deployment: "mine"
      }
      const once = AzureOpenAiClient.use(options, (azure) =>
        azure.chat.completions.create({ model: "ignored", messages: [{ role: "user", content: "hi" }] })
      )
      yield* Effect.all([once, once, once, once], { concurrency: "unbounded" })
      assert.strictEqual(loads, 1)
      const { log, requestsByKey } = sandbox.stats()
      assert.deepStrictEqual([...requestsByKey], [["entra-token", 4]])
      assert.match(log[0]!.path, /^\/openai\/deployments\/mine\/chat\/completions/)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("a credential that can't be loaded is a typed error, and the next request tries again", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      let loads = 0
      const credential = Credential.make({
        id: "flaky",
        load: Effect.suspend(() => (++loads === 1 ? Effect.fail("vault sealed") : Effect.succeed(Redacted.make("t"))))
      })
      const options = { apiKey: credential, endpoint: sandbox.baseURL("azure"), apiVersion: "v", maxRetries: 0 }
      const once = AzureOpenAiClient.use(options, (azure) => azure.models.list())
      const error = yield* Effect.flip(once)
      assert.strictEqual(error._tag === "RequestError" && error.reason, "Authentication")
      assert.match(error.message, /credential flaky could not be loaded/)
      yield* once
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})

describe("ClientMap", () => {
  it.live("1,000 acquires over 100 keys with the same transport options build one pool", () =>
    Effect.gen(function* () {
      // Streams for all: a config that needs a second socket has a second pool.
      const sandbox = yield* Sandbox.make({ tls: true, maxStreams: 200 })
      const config = (i: number) =>
        OpenAiClient.config({
          apiKey: Redacted.make(`k-${i % 100}`),
          baseURL: sandbox.baseURL("openai"),
          transport: { ca: sandbox.ca }
        })
      yield* Effect.forEach(
        Array.from({ length: 1_000 }, (_, i) => i),
        (i) => Effect.flatMap(config(i), OpenAiClient.get),
        {
          concurrency: "unbounded",
          discard: true
        }
      )
      const ask = (i: number) =>
        Effect.flatMap(config(i), (one) => OpenAiClient.use(one, (client) => client.models.list()))
      yield* Effect.forEach(
        Array.from({ length: 100 }, (_, i) => i),
        ask,
        { concurrency: "unbounded" }
      )
      const { built, clients, hits, misses } = yield* ClientMap.stats
      assert.deepStrictEqual(
        { built, hits, misses, clients: clients.length },
        {
          built: 100,
          hits: 1_000,
          misses: 100,
          clients: 100
        }
      )
      const { connections } = sandbox.stats()
      assert.strictEqual(connections.total, 1)
    }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()))
  )

  it.live("isolation gives a client sockets of its own", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const call = (apiKey: string, isolation: "shared" | "client") =>
        OpenAiClient.use(
          { apiKey: Redacted.make(apiKey), baseURL: sandbox.baseURL("openai"), transport: { isolation } },
          (client) => client.models.list()
        )
      for (const key of ["a", "b"]) yield* call(key, "shared")
      assert.strictEqual(sandbox.stats().connections.total, 1)
      for (const key of ["a", "b", "a", "b"]) yield* call(key, "client")
      assert.strictEqual(sandbox.stats().connections.total, 3)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("maxClients fails the third typed after acquireTimeout, and lends as soon as one goes idle", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const options = (key: string) => ({ apiKey: Redacted.make(key), baseURL: sandbox.baseURL("groq") })
      const scope = yield* Scope.make()
      yield* Scope.extend(GroqClient.get(options("a")), scope)
      yield* GroqClient.get(options("b"))
      const error = yield* Effect.flip(GroqClient.get(options("c")))
      assert.strictEqual(error._tag === "PoolError" && error.reason, "Capacity")
      assert.match(error.message, /all 2 clients that maxClients allows.*Raise maxClients or acquireTimeout/)
      const waiting = yield* Effect.fork(Effect.scoped(GroqClient.get(options("c"))))
      yield* eventually(ClientMap.stats, ({ waiting }) => waiting === 1)
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(waiting)
    }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer({ maxClients: 2, acquireTimeout: 1_000 })))
  )

  it.effect("bad layer options are typed errors of each lease", () =>
    Effect.gen(function* () {
      for (const [options, field] of [
        [{ capacity: Number.NaN }, "capacity"],
        [{ maxSockets: 0 }, "maxSockets"],
        [{ idleTimeToLive: "soon" as "1 second" }, "idleTimeToLive"],
        [{ idleTimeToLeave: 1 } as {}, "idleTimeToLeave"]
      ] as const) {
        const error = yield* Effect.flip(
          Effect.provide(
            GroqClient.use({ apiKey: Redacted.make("k") }, () => Promise.resolve(1)),
            ClientLayer.layer(options)
          )
        )
        assert.strictEqual(error._tag, "OptionsError")
        assert.strictEqual(error._tag === "OptionsError" && error.field, field)
      }
    })
  )
})
