/** Agents that would only wait start when their turn has come; what they are promised holds from their call on. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { AsyncLocalStorage } from "node:async_hooks"
import type { OpenAI } from "openai"
import { assert } from "vitest"
import type { ClientConfig, Options } from "../../src/ClientConfig.ts"
import type { ClientError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import { type Holding, serveHolding } from "../support/holding.ts"
import { eventually } from "../support/wait.ts"

const CROWD = 300
/** Sockets, and the started agents that wait for one: few more start. */
const SOCKETS = 2
const MOST_STARTED = 80

const run = <A, E>(effect: Effect.Effect<A, E, ClientMap.ClientMap | Scope.Scope>) =>
  effect.pipe(Effect.provide(ClientLayer.layer({ drainTimeout: 100 })), Effect.scoped)

const configOf = ({ baseURL }: Holding, options: Partial<Options> = {}) =>
  OpenAiClient.config({
    apiKey: Redacted.make("sk-test"),
    baseURL,
    maxRetries: 0,
    transport: { maxConnections: SOCKETS },
    ...options
  })

type Config = ClientConfig<"openai">

const ask = (openai: OpenAI, content: string, model = "m") =>
  openai.chat.completions.create({ model, messages: [{ role: "user", content }] })

/** The client is built. */
const warm = (config: Config) => OpenAiClient.use(config, () => Promise.resolve())

/** Agents that note when their callbacks start. */
const crowdOf = (config: Config, size = CROWD) => {
  const started: Array<string> = []
  const agent = (name: string, model?: string) =>
    OpenAiClient.use(config, (openai) => {
      started.push(name)
      return ask(openai, name, model)
    })
  const names = (from = 0, to = size) => Array.from({ length: to - from }, (_, i) => String(from + i))
  return {
    started,
    agent,
    names,
    fork: (from = 0, to = size) => Effect.forEach(names(from, to), (name) => Effect.fork(agent(name)))
  }
}

const counted = (of: () => number, isSo: (count: number) => boolean) => eventually(Effect.sync(of), isSo)

/** Enough turns for all to start that may. */
const settled = Effect.promise(async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 2))
})

const factsOf = (error: ClientError) =>
  error._tag === "RequestError" ? [error.reason, error.processed, error.attempts] : [error._tag, error._tag]

describe.concurrent("agents that would only wait for a socket", () => {
  for (const when of ["once their client is built", "before their client is built"] as const) {
    it.live(`start as those ahead have gone, first come first served, ${when}`, () =>
      run(
        Effect.gen(function* () {
          const server = yield* serveHolding
          const config = yield* configOf(server)
          if (when === "once their client is built") yield* warm(config)
          const { fork, names, started } = crowdOf(config)
          const fibers = yield* fork()
          yield* counted(server.held, (held) => held === SOCKETS)
          yield* settled
          assert.isAtMost(started.length, MOST_STARTED)
          const { clients } = yield* ClientMap.stats
          assert.strictEqual((clients[0]?.queued ?? 0) + SOCKETS, CROWD)
          server.open()
          yield* Fiber.joinAll(fibers)
          assert.deepStrictEqual(started, names())
          // Two sockets may overtake each other on the way.
          const moved = server.prompts.filter((prompt, i) => Math.abs(Number(prompt) - i) > SOCKETS)
          assert.deepStrictEqual(moved, [])
        })
      )
    )
  }

  it.live("keep a raw client's request at its place among them", () =>
    run(
      Effect.gen(function* () {
        const server = yield* serveHolding
        const config = yield* configOf(server)
        const openai = yield* OpenAiClient.get(config)
        const { fork } = crowdOf(config)
        const before = yield* fork(0, 200)
        const raw = yield* Effect.fork(Effect.promise(() => ask(openai, "raw")))
        yield* settled
        const after = yield* fork(200, 300)
        yield* settled
        server.open()
        yield* Fiber.joinAll([...before, ...after])
        yield* Fiber.join(raw)
        assert.isAtMost(Math.abs(server.prompts.indexOf("raw") - 200), SOCKETS)
      })
    )
  )

  it.live("are interrupted at once where they stand, and leave nothing behind", () =>
    run(
      Effect.gen(function* () {
        const server = yield* serveHolding
        const config = yield* configOf(server)
        const { agent, fork, started } = crowdOf(config, 5_000)
        const fibers = yield* fork()
        yield* counted(server.held, (held) => held === SOCKETS)
        yield* Fiber.interruptAll(fibers)
        assert.isAtMost(started.length, MOST_STARTED)
        yield* eventually(ClientMap.stats, ({ clients: [client] }) => client?.leases === 0 && client.queued === 0)
        server.open()
        yield* agent("next")
        assert.strictEqual(server.prompts.at(-1), "next")
      })
    )
  )

  it.live("are given up by a callback that interrupts its own fiber", () =>
    run(
      Effect.gen(function* () {
        const server = yield* serveHolding
        const config = yield* configOf(server)
        yield* warm(config)
        const runtime = yield* Effect.runtime<ClientMap.ClientMap>()
        const controller = new AbortController()
        let signal: AbortSignal | undefined
        const call = OpenAiClient.use(config, (_, given) => {
          signal = given
          controller.abort()
          return new Promise(() => undefined)
        })
        yield* Effect.promise(() =>
          Effect.runPromiseExit(Effect.provide(Effect.zipRight(Effect.yieldNow(), call), runtime), {
            signal: controller.signal
          })
        )
        assert.isTrue(signal?.aborted)
        const { clients } = yield* ClientMap.stats
        assert.strictEqual(clients[0]?.leases, 0)
      })
    )
  )

  it.live("run in the async context of their call", () =>
    run(
      Effect.gen(function* () {
        const server = yield* serveHolding
        const config = yield* configOf(server)
        yield* warm(config)
        const storage = new AsyncLocalStorage<string>()
        const runtime = yield* Effect.runtime<ClientMap.ClientMap>()
        const seen: Array<string | undefined> = []
        const call = (name: string) =>
          OpenAiClient.use(config, (openai) => {
            seen.push(storage.getStore())
            return ask(openai, name)
          }).pipe(Effect.provide(runtime), Effect.runPromise)
        const names = Array.from({ length: CROWD }, (_, i) => String(i))
        const calls = names.map((name) => storage.run(name, () => call(name)))
        yield* settled
        server.open()
        yield* Effect.promise(() => Promise.all(calls))
        assert.deepStrictEqual(seen, names)
      })
    )
  )

  it.live("fail when the layer closes", () =>
    Effect.gen(function* () {
      const server = yield* serveHolding
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(ClientLayer.layer({ drainTimeout: 50 }), scope)
      const config = yield* configOf(server)
      const { fork } = crowdOf(config)
      const fibers = yield* Effect.provide(fork(), context)
      yield* counted(server.held, (held) => held === SOCKETS)
      yield* Effect.fork(Scope.close(scope, Exit.void))
      const errors = yield* Effect.forEach(fibers, (fiber) => Effect.flip(Fiber.join(fiber)))
      const waited = errors.filter((error) => error._tag === "PoolError" && error.reason === "Closed")
      assert.isAtLeast(waited.length, CROWD - SOCKETS)
    }).pipe(Effect.scoped)
  )

  it.live("count for transport.maxQueue: one more is refused at once", () =>
    run(
      Effect.gen(function* () {
        const server = yield* serveHolding
        const config = yield* configOf(server, { transport: { maxConnections: SOCKETS, maxQueue: 200 } })
        yield* warm(config)
        const { agent, fork } = crowdOf(config, 200 + SOCKETS)
        const fibers = yield* fork()
        yield* counted(server.held, (held) => held === SOCKETS)
        yield* settled
        const error = yield* Effect.flip(agent("one more"))
        assert.deepInclude(error, { _tag: "PoolError", reason: "Capacity" })
        assert.include(error.message, "maxQueue (200)")
        server.open()
        yield* Fiber.joinAll(fibers)
      })
    )
  )

  for (const [option, reason, text] of [
    ["queueTimeout", "QueueTimeout", "longer than queueTimeout"],
    ["deadline", "Timeout", "deadline of 150 ms"]
  ] as const) {
    it.live(`wait no longer than ${option}, from their call, and have not started`, () =>
      run(
        Effect.gen(function* () {
          const server = yield* serveHolding
          const config = yield* configOf(server, { [option]: 150 })
          yield* warm(config)
          const { fork, started } = crowdOf(config)
          const fibers = yield* fork()
          const last = yield* Effect.flip(Fiber.join(fibers[CROWD - 1]!))
          assert.deepStrictEqual(factsOf(last), [reason, "no", 0])
          assert.include(last.message, text)
          assert.isAtMost(started.length, MOST_STARTED)
          assert.notInclude(started, String(CROWD - 1))
          yield* Fiber.interruptAll(fibers)
        })
      )
    )
  }

  it.live("wait for no agent that asks for another in its callback", () =>
    run(
      Effect.gen(function* () {
        const server = yield* serveHolding
        server.open()
        const config = yield* configOf(server)
        const runtime = yield* Effect.runtime<ClientMap.ClientMap>()
        const inner = (i: number) =>
          Effect.runPromise(
            Effect.provide(
              OpenAiClient.use(config, (openai) => ask(openai, String(i))),
              runtime
            )
          )
        const nested = Effect.forEach(
          Array.from({ length: CROWD }, (_, i) => i),
          (i) => OpenAiClient.use(config, () => inner(i)),
          { concurrency: "unbounded", discard: true }
        )
        yield* nested
        assert.strictEqual(server.prompts.length, CROWD)
      })
    )
  )
})

describe.concurrent("agents that would only wait for a quota", () => {
  const quota = { maxConcurrency: 1 }
  const transport = { maxConnections: 8 }

  it.live("start as those ahead have gone", () =>
    run(
      Effect.gen(function* () {
        const server = yield* serveHolding
        const config = yield* configOf(server, { quota, transport })
        yield* warm(config)
        const { fork, names, started } = crowdOf(config)
        const fibers = yield* fork()
        yield* counted(server.held, (held) => held === 1)
        assert.isAtMost(started.length, MOST_STARTED)
        server.open()
        yield* Fiber.joinAll(fibers)
        // Some of the last have been asked for their models early, and waited for their turn all the same.
        assert.deepStrictEqual(server.prompts, names())
      })
    )
  )

  it.live("keep their places past quota.maxWaiters once they have them", () =>
    run(
      Effect.gen(function* () {
        const server = yield* serveHolding
        const config = yield* configOf(server, { quota: { ...quota, maxWaiters: 100 }, transport })
        yield* warm(config)
        const { fork } = crowdOf(config, 130)
        const fibers = yield* fork()
        // Some have been started early meanwhile.
        yield* Effect.sleep(300)
        server.open()
        yield* Fiber.joinAll(fibers)
        assert.strictEqual(server.prompts.length, 130)
      })
    )
  )

  it.live("hold up none that ask another model", () =>
    run(
      Effect.gen(function* () {
        const server = yield* serveHolding
        const config = yield* configOf(server, { quota, transport })
        yield* warm(config)
        const { agent, fork } = crowdOf(config)
        yield* fork()
        yield* counted(server.held, (held) => held === 1)
        yield* Effect.fork(agent("other", "another-model"))
        yield* counted(server.held, (held) => held === 2)
        assert.strictEqual(server.prompts.at(-1), "other")
        // From now on it is known that there are two.
        yield* Effect.fork(agent("third", "third-model"))
        yield* counted(server.held, (held) => held === 3)
        assert.strictEqual(server.prompts.at(-1), "third")
      })
    )
  )
})
