import type OpenAI from "openai"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import { assert, describe, expectTypeOf, it } from "vitest"
import { OptionsError, PoolError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as Sets from "../../src/internal/promise/set.ts"
import * as Promises from "../../src/Promise.ts"
import { question } from "../support/providers.ts"
import { clientOf, configOf, open, sandboxOf, setOf, until } from "./sets.ts"

const ask = (client: OpenAI) => client.chat.completions.create(question("hello"))

const failure = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.fail("it did not fail"),
    (error: unknown) => error
  )

describe("the fetch of a config", () => {
  it("is one function for one config, and sends over one socket for callers one after the other", async () => {
    const sandbox = await sandboxOf()
    const set = setOf()
    const config = configOf(sandbox.baseURL("openai"))
    assert.strictEqual(set.fetchOf(OpenAiClient.provider, config), set.fetchOf(OpenAiClient.provider, config))
    const client = clientOf(set, config)
    for (let i = 0; i < 5; i++) await ask(client)
    const { built, clients, hits, misses, objects } = await set.stats()
    assert.deepStrictEqual(
      { built, hits, misses, objects, clients: clients.map(({ inFlight, leases }) => ({ inFlight, leases })) },
      { built: 1, hits: 4, misses: 1, objects: 1, clients: [{ inFlight: 0, leases: 0 }] }
    )
    assert.strictEqual(sandbox.stats().connections.total, 1)
  })

  it("builds one client for 200 requests that come at once", async () => {
    const sandbox = await sandboxOf()
    const set = setOf()
    const client = clientOf(set, configOf(sandbox.baseURL("openai"), { transport: { maxConnections: 20 } }))
    const answers = await Promise.all(Array.from({ length: 200 }, () => ask(client)))
    assert.strictEqual(answers.length, 200)
    const { built, misses } = await set.stats()
    assert.deepStrictEqual({ built, misses }, { built: 1, misses: 1 })
    assert.isAtMost(sandbox.stats().connections.peak, 20)
  })

  it("works after it was unused for several idle times, in which its sockets have gone", async () => {
    const sandbox = await sandboxOf()
    const set = setOf({ idleTimeToLive: 20 })
    const client = clientOf(set, configOf(sandbox.baseURL("openai")))
    for (let i = 1; i <= 3; i++) {
      await ask(client)
      await until(async () => sandbox.stats().connections.open === 0 && (await set.stats()).released === i)
      assert.strictEqual((await set.stats()).built, i)
    }
  })

  it("holds its lease until the body has ended, whatever the idle time", async () => {
    const sandbox = await sandboxOf({ timePerToken: 30 })
    const set = setOf({ idleTimeToLive: 0 })
    const client = clientOf(set, configOf(sandbox.baseURL("openai")))
    const stream = await client.chat.completions.create({ ...question("hello"), stream: true })
    let text = ""
    for await (const { choices } of stream) text += choices[0]?.delta.content ?? ""
    assert.isAbove(text.length, 0)
    await until(async () => (await set.stats()).released === 1)
    assert.strictEqual(sandbox.stats().aborts, 0)
  })

  it("ends to wait for a lease when its signal aborts, with the signal's reason, and takes none", async () => {
    const sandbox = await sandboxOf({ latency: 10_000 })
    const set = setOf({ maxClients: 1, acquireTimeout: "1 minute" })
    const busy = new AbortController()
    const url = `${sandbox.baseURL("openai")}/models`
    const first = set.fetchOf(OpenAiClient.provider, configOf(sandbox.baseURL("openai")))
    const begun = failure(first(url, { signal: busy.signal }))
    await until(() => sandbox.stats().inFlight === 1)
    const second = set.fetchOf(OpenAiClient.provider, configOf(sandbox.baseURL("openai"), { timeout: 1 }))
    const controller = new AbortController()
    const waiting = failure(second(url, { signal: controller.signal }))
    await until(async () => (await set.stats()).waiting === 1)
    const reason = new Error("enough")
    controller.abort(reason)
    assert.strictEqual(await waiting, reason)
    assert.strictEqual((await set.stats()).waiting, 0)
    busy.abort()
    await begun
  })

  it("fails with the map's own error where no lease can be had", async () => {
    const sandbox = await sandboxOf({ latency: 10_000 })
    const set = setOf({ maxClients: 1 })
    const controller = new AbortController()
    const url = `${sandbox.baseURL("openai")}/models`
    const fetch = set.fetchOf(OpenAiClient.provider, configOf(sandbox.baseURL("openai")))
    const begun = failure(fetch(url, { signal: controller.signal }))
    await until(() => sandbox.stats().inFlight === 1)
    const other = set.fetchOf(OpenAiClient.provider, configOf(sandbox.baseURL("openai"), { timeout: 1 }))
    const error = await failure(other(url))
    assert.strictEqual(error instanceof PoolError && error.reason, "Capacity")
    controller.abort()
    await begun
  })
})

describe("a set that is closed", () => {
  it("refuses requests and clients, and lets what is under way come to its end", async () => {
    const sandbox = await sandboxOf({ latency: 300 })
    const set = setOf()
    const config = configOf(sandbox.baseURL("openai"))
    const client = clientOf(set, config)
    const answer = ask(client)
    await until(() => sandbox.stats().inFlight === 1)
    const closing = set.close()
    assert.strictEqual(set.close(), closing)
    const refused = await failure(set.fetchOf(OpenAiClient.provider, config)(`${config.baseURL}/models`))
    assert.strictEqual(refused instanceof PoolError && refused.reason, "Closed")
    const late = (await failure(ask(client))) as Error
    assert.strictEqual(late.cause instanceof PoolError && late.cause.reason, "Closed")
    assert.throws(() => clientOf(set, config, "raw"), PoolError, /are closed/)
    assert.strictEqual((await answer).choices.length, 1)
    await closing
    await until(() => sandbox.stats().connections.open === 0)
    assert.strictEqual(sandbox.stats().requests, 1)
  })

  it("was the default one: the next getter returns a client of another", async () => {
    const first = Sets.defaultSet()
    assert.strictEqual(Sets.defaultSet(), first)
    await Promises.closeAll()
    assert.strictEqual(Sets.peekDefault(), undefined)
    assert.deepStrictEqual((await Promises.stats()).clients, [])
    assert.notStrictEqual(Sets.defaultSet(), first)
    await Promises.closeAll()
  })
})

describe("makeClients", () => {
  it("gives a set that closes at the end of its block, and shares nothing with others", async () => {
    const sandbox = await sandboxOf()
    const options = { apiKey: "sk-set", baseURL: sandbox.baseURL("openai") }
    {
      await using one = Promises.makeClients()
      await using two = Promises.makeClients()
      assert.strictEqual(one.getFetch(options), one.getFetch({ ...options, provider: "openai" }))
      assert.notStrictEqual(one.getFetch(options), two.getFetch(options))
      for (const clients of [one, two]) {
        const response = await clients.getFetch(options)(`${options.baseURL}/models`)
        assert.strictEqual(response.status, 200)
        await response.json()
      }
      assert.strictEqual(sandbox.stats().connections.open, 2)
      assert.strictEqual(Sets.setOf(one), Sets.setOf(one))
      assert.notStrictEqual(Sets.setOf(one), Sets.setOf(two))
    }
    await until(() => sandbox.stats().connections.open === 0)
  })

  it("refuses at once what it can't use", () => {
    for (const [given, field] of [
      [{ capacity: 0 }, "capacity"],
      [{ maxSockets: "many" }, "maxSockets"],
      [{ idleTTL: 1 }, "idleTTL"]
    ] as const) {
      assert.throws(() => Promises.makeClients(given as object), OptionsError, field)
    }
    assert.throws(() => Sets.setOf({ ...Promises.makeClients() }), OptionsError, /makeClients/)
    assert.throws(() => Promises.makeClients().getFetch({ provider: "none" as "openai" }), OptionsError, /cerebras/)
  })

  it("with a runtime shares clients, sockets and budgets with all effects there", async () => {
    const sandbox = await sandboxOf({ latency: 20 })
    const runtime = ManagedRuntime.make(ClientLayer.layer())
    open.unshift(() => runtime.dispose())
    const set = setOf({ runtime })
    const config = configOf(sandbox.baseURL("openai"), { quota: { maxConcurrency: 3 } })
    const client = clientOf(set, config)
    const viaEffect = OpenAiClient.use(config, (openai) => openai.chat.completions.create(question("hi")))
    await Promise.all(
      Array.from({ length: 30 }, (_, i): Promise<unknown> =>
        i % 2 === 0 ? ask(client) : runtime.runPromise(viaEffect)
      )
    )
    const { connections, peakInFlight, requests } = sandbox.stats()
    assert.strictEqual(requests, 30)
    assert.strictEqual(peakInFlight, 3, "one budget")
    assert.isAtMost(connections.total, 3)
    const { objects, ...mine } = await set.stats()
    assert.deepStrictEqual({ ...mine }, { ...(await runtime.runPromise(ClientMap.stats)) })
    assert.deepStrictEqual(
      { objects, built: mine.built, clients: mine.clients.length, quotas: mine.quotas.length },
      { objects: 1, built: 1, clients: 1, quotas: 1 }
    )
    await set.close()
    assert.strictEqual((await runtime.runPromise(viaEffect)).choices.length, 1, "the runtime is its owner's")
  })

  it("gives a fetch beside the clients of the same options in one runtime, whichever comes first", async () => {
    const sandbox = await sandboxOf()
    const baseURL = sandbox.baseURL("openai")
    const runtime = ManagedRuntime.make(ClientLayer.layer())
    open.unshift(() => runtime.dispose())
    await using clients = Promises.makeClients({ runtime })
    const list = async (): Promise<number> =>
      (
        await clients.getFetch({ apiKey: "sk-both", baseURL })(`${baseURL}/models`, {
          headers: { authorization: "Bearer sk-both" }
        })
      ).status
    const options = { apiKey: Redacted.make("sk-both"), baseURL }
    const viaEffect = OpenAiClient.use(options, (openai) => openai.chat.completions.create(question("hi")))
    assert.strictEqual(await list(), 200)
    assert.strictEqual((await runtime.runPromise(viaEffect)).choices.length, 1)
    assert.strictEqual(await list(), 200)
    assert.strictEqual((await runtime.runPromise(viaEffect)).choices.length, 1)
    assert.strictEqual((await clients.stats()).clients.length, 1)
  })

  it("with a disposed runtime fails as closed", async () => {
    const sandbox = await sandboxOf()
    const runtime = ManagedRuntime.make(ClientLayer.layer())
    const set = setOf({ runtime })
    const config = configOf(sandbox.baseURL("openai"))
    const fetch = set.fetchOf(OpenAiClient.provider, config)
    await (await fetch(`${config.baseURL}/models`)).json()
    await runtime.dispose()
    const error = await failure(fetch(`${config.baseURL}/models`))
    assert.strictEqual(error instanceof PoolError && error.reason, "Closed")
  })

  it("takes a runtime that has more than a client map", () => {
    expectTypeOf<{
      readonly runtime: ManagedRuntime.ManagedRuntime<ClientMap.ClientMap | OpenAiClient.OpenAiClient, Error>
    }>().toExtend<Promises.Options>()
  })
})

describe("invalidate", () => {
  it("lets the connections of one client go, and of all; the next request opens others", async () => {
    const sandbox = await sandboxOf()
    const set = setOf()
    const clients = ["a", "b", "c"].map((key) =>
      clientOf(
        set,
        configOf(sandbox.baseURL("openai"), { apiKey: Redacted.make(key), transport: { isolation: "client" } })
      )
    )
    for (const client of clients) await ask(client)
    assert.strictEqual(sandbox.stats().connections.open, 3)
    await set.invalidate(clients[0])
    await until(() => sandbox.stats().connections.open === 2)
    await set.invalidate()
    await until(() => sandbox.stats().connections.open === 0)
    for (const client of clients) await ask(client)
    assert.strictEqual((await set.stats()).built, 6)
    const error = await failure(set.invalidate({}))
    assert.strictEqual(error instanceof OptionsError && error.field, "client")
  })
})

describe("a log of the layer", () => {
  it("is a warning of the process, not a line on stdout", async () => {
    const sandbox = await sandboxOf()
    const set = setOf()
    const heard: Array<Error> = []
    const listener = (warning: Error) => heard.push(warning)
    process.on("warning", listener)
    open.push(async () => void process.off("warning", listener))
    for (const requestsPerMinute of [1000, 2000]) {
      await ask(clientOf(set, configOf(sandbox.baseURL("openai"), { quota: { requestsPerMinute } })))
    }
    await until(() => heard.length > 0)
    assert.deepStrictEqual(
      heard.map(({ name }) => name),
      ["ClienteleWarning"]
    )
    assert.notInclude(heard[0]!.message, "sk-set")
  })
})
