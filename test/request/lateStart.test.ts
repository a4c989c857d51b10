/** Callbacks of agents that would only wait start when their turn has come; `lateStartWays.test.ts` has what holds for all ways. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { AsyncLocalStorage } from "node:async_hooks"
import type { OpenAI } from "openai"
import { assert } from "vitest"
import * as ClientMap from "../../src/ClientMap.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import { serveHolding } from "../support/holding.ts"
import { bodyOf, type Config, configOf, held, MOST_STARTED, run, SOCKETS, warm } from "../support/lateStart.ts"

const CROWD = 300

const ask = (openai: OpenAI, content: string) => openai.chat.completions.create(bodyOf(content))

/** Agents that note when their callbacks start. */
const crowdOf = (config: Config, size = CROWD) => {
  const started: Array<string> = []
  const agent = (name: string) =>
    OpenAiClient.use(config, (openai) => {
      started.push(name)
      return ask(openai, name)
    })
  const names = (from = 0, to = size) => Array.from({ length: to - from }, (_, i) => String(from + i))
  return {
    started,
    names,
    fork: (from = 0, to = size) => Effect.forEach(names(from, to), (name) => Effect.fork(agent(name)))
  }
}

/** Enough turns for all to start that may. */
const settled = Effect.promise(async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 2))
})

describe.concurrent("agents that would only wait for a socket", () => {
  it.live("start their callbacks as those ahead have gone, first come first served", () =>
    run(
      Effect.gen(function* () {
        const server = yield* serveHolding
        const config = yield* configOf(server)
        yield* warm(config)
        const { fork, names, started } = crowdOf(config)
        const fibers = yield* fork()
        yield* held(server, SOCKETS)
        yield* settled
        assert.isAtMost(started.length, MOST_STARTED)
        server.open()
        yield* Fiber.joinAll(fibers)
        assert.deepStrictEqual(started, names())
      })
    )
  )

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
        yield* held(server, 1)
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
})
