/** Calls without Effect that stand in line: what `lateStartWays.test.ts` can't see, as it has all doors as Effects. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { AsyncLocalStorage } from "node:async_hooks"
import { assert } from "vitest"
import type { ClientError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import { type Clients, getOpenAIApi, makeClients, type OpenAIApi, type Options } from "../../src/Promise.ts"
import { type Holding, serveHolding } from "../support/holding.ts"
import { bodyOf, CROWD, held, MOST_STARTED, names, SOCKETS } from "../support/lateStart.ts"
import { eventually } from "../support/wait.ts"

interface Given {
  readonly server: Holding
  readonly clients: Clients
  readonly api: OpenAIApi
}

const within = (f: (given: Given) => Promise<void>, options: Options = { drainTimeout: 50 }) =>
  Effect.scoped(
    Effect.flatMap(serveHolding, (server) =>
      Effect.promise(async () => {
        await using clients = makeClients(options)
        const transport = { maxConnections: SOCKETS }
        const api = getOpenAIApi({ apiKey: "sk-1", baseURL: server.baseURL, maxRetries: 0, transport }, clients)
        await f({ server, clients, api })
      })
    )
  )

/** Agents and requests that wait. */
const queued = async (clients: Clients): Promise<number> =>
  (await clients.stats()).clients.reduce((sum, client) => sum + client.queued, 0)

const queuedAre = (clients: Clients, count: number) =>
  Effect.runPromise(
    eventually(
      Effect.promise(() => queued(clients)),
      (now) => now === count
    )
  )

const failure = (promise: Promise<unknown>): Promise<ClientError> =>
  promise.then(
    () => assert.fail("it succeeded"),
    (error: ClientError) => error
  )

/** Fills the sockets, and the line behind them. Rejections are nobody's. */
const crowd = async ({ api, clients, server }: Given): Promise<ReadonlyArray<Promise<unknown>>> => {
  const all = names(CROWD).map((name) => api.chat(bodyOf(name)))
  for (const one of all) one.catch(() => undefined)
  await Effect.runPromise(held(server, SOCKETS))
  await queuedAre(clients, CROWD - SOCKETS)
  return all
}

describe("a call without Effect that stands in line", () => {
  it.live("is written when its turn has come, in the async context of its call", () =>
    within(async ({ api, clients, server }) => {
      const storage = new AsyncLocalStorage<string>()
      const written: Array<string | undefined> = []
      const call = (name: string) => {
        const toJSON = () => {
          written.push(storage.getStore())
          return bodyOf(name)
        }
        return storage.run(name, () => api.chat({ ...bodyOf(name), toJSON } as never))
      }
      const all = names(CROWD).map(call)
      await Effect.runPromise(held(server, SOCKETS))
      await queuedAre(clients, CROWD - SOCKETS)
      assert.isAtMost(written.length, MOST_STARTED)
      server.open()
      await Promise.all(all)
      assert.deepStrictEqual(written, names(CROWD))
    })
  )

  it.live("rejects at once when its signal aborts, unsent, and leaves its place to the next", () =>
    within(async (given) => {
      const { api, clients, server } = given
      const all = await crowd(given)
      const controller = new AbortController()
      const aborted = failure(api.chat(bodyOf("aborted"), { signal: controller.signal }))
      const next = api.chat(bodyOf("next"))
      await queuedAre(clients, CROWD - SOCKETS + 2)
      controller.abort("enough")
      const error = await aborted
      assert.deepInclude({ ...error }, { _tag: "RequestError", reason: "Aborted", processed: "no", attempts: 0 })
      assert.strictEqual(error.cause, "enough")
      assert.strictEqual(await queued(clients), CROWD - SOCKETS + 1)
      server.open()
      await Promise.all([...all, next])
      assert.strictEqual(server.prompts.at(-1), "next")
      assert.notInclude(server.prompts, "aborted")
    })
  )

  it.live("is a stream, and ends there by its iterator's return or by its signal", () =>
    within(async (given) => {
      const { api, clients, server } = given
      const all = await crowd(given)
      const values = api.chatStream({ ...bodyOf("returned"), stream: true })[Symbol.asyncIterator]()
      const first = values.next()
      const second = values.next()
      const controller = new AbortController()
      const aborting = api.chatStream({ ...bodyOf("aborted"), stream: true }, { signal: controller.signal })
      const aborted = failure(aborting[Symbol.asyncIterator]().next())
      await queuedAre(clients, CROWD - SOCKETS + 2)
      controller.abort()
      assert.deepInclude({ ...(await aborted) }, { reason: "Aborted", processed: "no", attempts: 0 })
      await values.return!()
      assert.deepStrictEqual(await Promise.all([first, second]), [
        { value: undefined, done: true },
        { value: undefined, done: true }
      ])
      assert.strictEqual(await queued(clients), CROWD - SOCKETS)
      server.open()
      await Promise.all(all)
      assert.strictEqual(server.prompts.length, CROWD)
    })
  )

  it.live("rejects if its body can't be written, and the next goes on", () =>
    within(async (given) => {
      const { api, server } = given
      const all = await crowd(given)
      const bad = failure(api.chat({ ...bodyOf("bad"), seed: 1n } as never))
      const next = api.chat(bodyOf("next"))
      server.open()
      assert.deepInclude({ ...(await bad) }, { reason: "BadRequest", processed: "no" })
      await Promise.all([...all, next])
    })
  )

  it.live("rejects with Closed when its set closes", () =>
    within(async (given) => {
      const all = await crowd(given)
      const closing = given.clients.close()
      const errors = await Promise.all(all.map(failure))
      await closing
      assert.isAtLeast(errors.filter((error) => "reason" in error && error.reason === "Closed").length, CROWD - SOCKETS)
    })
  )

  it.live("waits for a runtime that has yet to be built, in the order of calls", () => {
    const runtime = ManagedRuntime.make(ClientLayer.layer())
    return Effect.ensuring(
      within(
        async (given) => {
          const all = await crowd(given)
          given.server.open()
          await Promise.all(all)
          const moved = given.server.prompts.filter((prompt, i) => Math.abs(Number(prompt) - i) > SOCKETS)
          assert.deepStrictEqual(moved, [])
        },
        { runtime }
      ),
      runtime.disposeEffect
    )
  })
})
