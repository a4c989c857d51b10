import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { assert } from "vitest"
import type { CommonOptions } from "../../src/ClientConfig.ts"
import { PoolError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { question, subjects } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const roads = [
  { name: "HTTP/1.1", sandbox: { protocol: "http/1.1" } },
  { name: "HTTP/2", sandbox: { protocol: "both", tls: true } }
] as const

/** A client layer that the test closes. */
const open = (options: ClientLayer.Options) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(ClientLayer.layer(options), scope)
    return { context, close: Scope.close(scope, Exit.void) }
  })

const ask = (sandbox: Sandbox.Sandbox) =>
  OpenAiClient.use(
    {
      apiKey: Redacted.make("k"),
      baseURL: sandbox.baseURL("openai"),
      maxRetries: 2,
      transport: { ca: sandbox.ca, maxConnections: 500 }
    },
    (client) => client.chat.completions.create(question("hi"))
  )

/** So many requests are at the server. */
const arrived = (sandbox: Sandbox.Sandbox, count: number) =>
  eventually(
    Effect.sync(() => sandbox.stats().inFlight),
    (inFlight) => inFlight === count
  )

const times = (n: number) => Array.from({ length: n }, (_, i) => i)

const reasons: Readonly<Record<string, readonly [fault: Sandbox.FaultRule["fault"], options: CommonOptions]>> = {
  "a Retry-After": [{ type: "status", status: 429, headers: { "retry-after": "50" } }, {}],
  "another attempt": [{ type: "status", status: 500, headers: { "retry-after": "50" } }, {}],
  "a turn of its own": [{ type: "stall", at: "headers" }, { quota: { maxConcurrency: 1 } }]
}

describe("closing the layer", () => {
  for (const [name, [fault, options]] of Object.entries(reasons)) {
    it.live(`fails at once requests that wait for ${name}`, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        sandbox.faults.push({ fault })
        const { close, context } = yield* open({ drainTimeout: 100 })
        const config = yield* OpenAiClient.config({
          apiKey: Redacted.make("k"),
          baseURL: sandbox.baseURL("openai"),
          ...options
        })
        const use = OpenAiClient.use(config, (client) => client.chat.completions.create(question("hi")))
        const agents = yield* Effect.forEach(times(3), () => Effect.fork(Effect.flip(Effect.provide(use, context))))
        yield* eventually(
          Effect.sync(() => sandbox.stats().requests),
          (requests) => requests === (options.quota === undefined ? 3 : 1)
        )
        yield* Effect.sleep(50)
        yield* close
        const errors = yield* Effect.timeout(Effect.forEach(agents, Fiber.join), "20 seconds")
        assert.deepStrictEqual(
          errors.map((error) => error instanceof PoolError && error.reason),
          ["Closed", "Closed", "Closed"]
        )
        assert.strictEqual(sandbox.stats().requests, options.quota === undefined ? 3 : 1)
      }).pipe(Effect.scoped)
    )
  }
})

for (const road of roads) {
  describe(`closing the layer over ${road.name}`, () => {
    it.live("lets 100 requests in flight come to their end", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ ...road.sandbox, latency: 2_000 })
        const { close, context } = yield* open({ drainTimeout: "15 seconds" })
        const agents = yield* Effect.forEach(times(100), () => Effect.fork(Effect.provide(ask(sandbox), context)))
        yield* eventually(
          Effect.sync(() => sandbox.stats().requests),
          (requests) => requests === 100
        )
        assert.isAbove(sandbox.stats().inFlight, 0)
        yield* close
        const exits = yield* Effect.forEach(agents, Fiber.await)
        assert.strictEqual(exits.filter(Exit.isSuccess).length, 100)
        const { connections, requests } = sandbox.stats()
        assert.strictEqual(requests, 100)
        yield* closed(sandbox)
        assert.isAtLeast(connections.total, 1)
      }).pipe(Effect.scoped)
    )

    it.live("destroys unfinished requests after the drain timeout, for all origins at once, with a log", () =>
      Effect.gen(function* () {
        const sandboxes = yield* Effect.forEach(times(10), () => Sandbox.make({ ...road.sandbox, latency: 60_000 }))
        const { close, context } = yield* open({ drainTimeout: 1_500 })
        const agents = yield* Effect.forEach(times(100), (i) =>
          Effect.fork(Effect.flip(Effect.provide(ask(sandboxes[i % 10]!), context)))
        )
        yield* Effect.forEach(sandboxes, (sandbox) => arrived(sandbox, 10))
        const started = performance.now()
        yield* close
        const took = performance.now() - started
        assert.isAtLeast(took, 1_490)
        assert.isBelow(took, 10_000, "one after the other it would be 15 s")
        const errors = yield* Effect.forEach(agents, Fiber.join)
        assert.deepStrictEqual(
          [...new Set(errors.map((error) => (error._tag === "PoolError" ? error.reason : error._tag)))],
          ["Closed"]
        )
        yield* Effect.forEach(sandboxes, closed)
        assert.strictEqual(
          sandboxes.reduce((sum, sandbox) => sum + sandbox.stats().requests, 0),
          100,
          "nothing was sent again"
        )
      }).pipe(Effect.scoped)
    )

    it.live("fails at once requests that wait for a socket", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ ...road.sandbox, latency: 2_000, maxStreams: 1 })
        const { close, context } = yield* open({ drainTimeout: "15 seconds" })
        const options = {
          apiKey: Redacted.make("k"),
          baseURL: sandbox.baseURL("openai"),
          transport: { ca: sandbox.ca, maxConnections: 1 }
        }
        const ask = Effect.provide(
          OpenAiClient.use(options, (client) => client.models.list()),
          context
        )
        const first = yield* Effect.fork(ask)
        yield* arrived(sandbox, 1)
        const waiting = yield* Effect.fork(Effect.flip(ask))
        yield* Effect.sleep(20)
        const closing = yield* Effect.fork(close)
        const error = yield* Fiber.join(waiting)
        assert.strictEqual(error._tag === "PoolError" && error.reason, "Closed")
        assert.strictEqual(sandbox.stats().inFlight, 1, "the first is still on its way")
        assert.isTrue(Exit.isSuccess(yield* Fiber.await(first)))
        yield* Fiber.join(closing)
        assert.strictEqual(sandbox.stats().requests, 1)
      }).pipe(Effect.scoped)
    )
  })
}

const closed = (sandbox: Sandbox.Sandbox) =>
  eventually(
    Effect.sync(() => sandbox.stats().connections.open),
    (connections) => connections === 0
  )

describe("after the layer has closed", () => {
  for (const subject of subjects) {
    it.live(`a late lease of ${subject.name} fails with PoolError Closed, in every way`, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const config = yield* subject.config(sandbox)
        const { close, context } = yield* open({})
        const kept = yield* Effect.provide(Effect.scoped(subject.get(config)), context)
        yield* close
        for (const late of [subject.ask(config), Effect.asVoid(Effect.scoped(subject.get(config)))]) {
          const error = yield* Effect.flip(Effect.provide(Effect.asVoid(late), context))
          assert.strictEqual(error._tag === "PoolError" && error.reason, "Closed")
          assert.match(error.message, /client layer is closed/)
        }
        const raw = yield* Effect.tryPromise({
          try: async () => kept.chat.completions.create(question("hi")),
          catch: (thrown) => thrown as Error
        }).pipe(Effect.flip)
        const { cause } = raw
        assert.strictEqual(cause instanceof PoolError && cause.reason, "Closed")
        assert.strictEqual(sandbox.stats().connections.total, 0)
      }).pipe(Effect.scoped)
    )
  }
})
