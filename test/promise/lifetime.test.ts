/** Lifetimes of objects that are never closed, and the memory that they keep. */
import OpenAI from "openai"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { afterEach, assert, describe, it } from "vitest"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as Sets from "../../src/internal/promise/set.ts"
import * as Site from "../../src/internal/sdk/callSite.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { makeClients } from "../../src/Promise.ts"
import { question } from "../support/providers.ts"
import { getOpenAIClient } from "../../src/promise/openai.ts"
import { ask, hello, json, serve, subjects } from "./doors.ts"

const open: Array<() => Promise<void>> = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

const sandboxOf = async (options?: Parameters<typeof Sandbox.start>[0]) => {
  const sandbox = await Sandbox.start(options)
  open.push(sandbox.close)
  return sandbox
}

const setOf = (options?: Sets.Options) => {
  const set = Sets.make(options)
  open.unshift(set.close)
  return set
}

const clientOf = (set: Sets.ClientSet, baseURL: string, apiKey: string) =>
  set.object("openai", `${baseURL} ${apiKey}`, () => {
    const config = Effect.runSync(OpenAiClient.config({ apiKey: Redacted.make(apiKey), baseURL, maxRetries: 0 }))
    return {
      config,
      sdk: {},
      make: () => new OpenAI({ apiKey, baseURL, maxRetries: 0, fetch: set.fetchOf(OpenAiClient.provider, config) })
    }
  })

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Collects and looks until it is so, for at most ten seconds. */
const until = async (isSo: () => boolean | Promise<boolean>): Promise<void> => {
  const end = Date.now() + 30_000
  for (;;) {
    gc!()
    // Finalizers run in turns of their own.
    await pause(5)
    if (await isSo()) return
    if (Date.now() > end) throw new Error("still not so after 30 s")
  }
}

const heap = async (): Promise<number> => {
  for (let i = 0; i < 3; i++) {
    gc!()
    await pause(5)
  }
  return process.memoryUsage().heapUsed
}

const warningsOf = () => {
  const heard: Array<string> = []
  const listener = ({ message, name }: Error) => void (name === "ClienteleWarning" && heard.push(message))
  process.on("warning", listener)
  open.push(async () => void process.off("warning", listener))
  return heard
}

describe("objects", () => {
  it("of 4,000 configurations used once are all collected, with all that was kept of them", async () => {
    const set = setOf({ idleTimeToLive: 50 })
    let collected = 0
    const registry = new FinalizationRegistry(() => collected++)
    const tenants = (count: number) => {
      for (let i = 0; i < count; i++) {
        registry.register(clientOf(set, "http://127.0.0.1:9/v1", `sk-${count}-${i}`), undefined)
      }
    }
    // Fills in what is made once for all tenants, tables that have grown for so many included.
    tenants(3_999)
    await until(() => collected === 3_999)
    const before = await heap()
    tenants(4_000)
    await until(() => collected === 7_999)
    assert.strictEqual((await set.stats()).objects, 0)
    assert.isBelow((await heap()) / before, 1.1)
  })

  it("that have sent something are collected too, and their clients with their sockets go before them", async () => {
    const sandbox = await sandboxOf()
    const set = setOf({ idleTimeToLive: 50 })
    let collected = 0
    const registry = new FinalizationRegistry(() => collected++)
    const tenant = async (i: number) => {
      const client = clientOf(set, sandbox.baseURL("openai"), `sk-${i}`)
      registry.register(client, undefined)
      await client.models.list()
    }
    await Promise.all(Array.from({ length: 300 }, (_, i) => tenant(i)))
    await until(async () => collected === 300 && (await set.stats()).released === 300)
    const { built, clients, objects } = await set.stats()
    assert.deepStrictEqual({ built, clients, objects }, { built: 300, clients: [], objects: 0 })
    await until(() => sandbox.stats().connections.open === 0)
  })

  it("are ten after a million hits over ten configurations, and the heap is flat", async () => {
    const set = setOf()
    const seen = new Set<OpenAI>()
    const hit = (times: number) => {
      for (let i = 0; i < times; i++) seen.add(clientOf(set, "http://127.0.0.1:9/v1", `sk-${i % 10}`))
    }
    hit(10_000)
    const before = await heap()
    hit(1_000_000)
    const after = await heap()
    assert.strictEqual(seen.size, 10)
    assert.strictEqual((await set.stats()).objects, 10)
    assert.isBelow(after - before, 2_000_000)
  })

  it("are at most so many as there is room for, whatever many tenants come at once", async () => {
    const set = setOf({ capacity: 100 })
    for (let i = 0; i < 1_000; i++) clientOf(set, "http://127.0.0.1:9/v1", `sk-${i}`)
    assert.strictEqual((await set.stats()).objects, 100)
  })
})

const url = (sandbox: Sandbox.Sandbox) => `${sandbox.baseURL("openai")}/chat/completions`

const fetchOf = (set: Sets.ClientSet, sandbox: Sandbox.Sandbox) =>
  set.fetchOf(
    OpenAiClient.provider,
    Effect.runSync(OpenAiClient.config({ apiKey: Redacted.make("sk"), baseURL: sandbox.baseURL("openai") }))
  )

const held = async (set: Sets.ClientSet) => (await set.stats()).clients.reduce((sum, one) => sum + one.inFlight, 0)

/** A stream that begins and does not end, and the answer to what asks for none. */
const endless = () =>
  serve((_, response, body) => {
    if (!/"stream": ?true/.test(body)) return json(response, 200, { id: "1", choices: [] })
    return response.writeHead(200, { "content-type": "text/event-stream" }).write('data: {"id":"1","choices":[]}\n\n')
  })

describe("a stream", () => {
  /** As an SDK object does it. */
  const stream = (
    fetch: typeof globalThis.fetch,
    to: string,
    { headers, signal }: { readonly headers?: Readonly<Record<string, string>>; readonly signal?: AbortSignal }
  ): Promise<Response> => {
    const init = {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer sk", ...headers },
      body: JSON.stringify({ ...question("hello"), stream: true }),
      ...(signal !== undefined && { signal }),
      [Site.SITE]: Site.here(stream)
    }
    return fetch(to, init)
  }

  it("that is dropped gives its lease back when it is collected, with a warning that has its call site", async () => {
    const sandbox = await sandboxOf()
    const set = setOf()
    const heard = warningsOf()
    const agentThatForgets = async () => {
      const { body } = await stream(fetchOf(set, sandbox), url(sandbox), {
        headers: { "x-sandbox-fault": "stall=body" }
      })
      assert.isNotNull(body)
    }
    await agentThatForgets()
    assert.strictEqual(await held(set), 1)
    await until(async () => (await held(set)) === 0 && heard.length > 0)
    assert.strictEqual(heard.length, 1)
    assert.match(heard[0]!, /dropped before its end.*agentThatForgets.*lifetime\.test\.ts:\d+/)
    assert.include(heard[0]!, sandbox.baseURL("openai"))
    assert.notInclude(heard[0]!, "node_modules")
    await until(() => sandbox.stats().connections.open === 0)
  })

  it.each(subjects)("of $name has its call site recorded, and no other call has, but the first", async ({ get }) => {
    await using provider = await endless()
    await using clients = makeClients()
    const client = get(provider.origin, {}, clients)
    await ask(client)
    const { captureStackTrace } = Error
    let noted = 0
    Error.captureStackTrace = (...args) => {
      noted++
      captureStackTrace(...args)
    }
    open.push(async () => void (Error.captureStackTrace = captureStackTrace))
    await ask(client)
    assert.strictEqual(noted, 0)
    const controller = new AbortController()
    await client.chat.completions.create({ ...hello, stream: true }, { signal: controller.signal })
    controller.abort()
    assert.strictEqual(noted, 1)
    await ask(client)
    assert.strictEqual(noted, 1)
  })

  it("of openai whose request has no stream flag is recorded as well", async () => {
    await using provider = await endless()
    await using clients = makeClients()
    const heard = warningsOf()
    const client = getOpenAIClient({ baseURL: provider.origin, apiKey: "sk" }, clients)
    await ask(client)
    await ask(client)
    const agentThatForgets = async () => {
      await client.post("/somewhere", Promise.resolve({ body: { stream: true }, stream: true }))
    }
    await agentThatForgets()
    await until(() => heard.length > 0)
    assert.match(heard[0]!, /dropped before its end.*agentThatForgets.*lifetime\.test\.ts:\d+/)
  })

  it.each(subjects)("of $name that is dropped logs its call site", async ({ get }) => {
    await using provider = await endless()
    await using clients = makeClients()
    const heard = warningsOf()
    const client = get(provider.origin, {}, clients)
    await ask(client)
    const agentThatForgets = async () => {
      await client.chat.completions.create({ ...hello, stream: true })
    }
    await agentThatForgets()
    await until(() => heard.length > 0)
    assert.strictEqual(heard.length, 1)
    assert.match(heard[0]!, /dropped before its end.*agentThatForgets.*lifetime\.test\.ts:\d+/)
    await until(async () => (await clients.stats()).clients.every(({ inFlight }) => inFlight === 0))
  })

  it.each([
    ["without a deadline", Infinity],
    // The deadline's timer must not hold it.
    ["under a deadline", 3_600_000]
  ])("of a fetch for libraries that is dropped %s logs its call site", async (_, deadline) => {
    await using provider = await serve((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write('data: {"id":"1","choices":[]}\n\n')
    })
    await using clients = makeClients()
    const heard = warningsOf()
    const libraryThatForgets = async () => {
      const fetch = clients.getFetch({ apiKey: "sk", baseURL: `${provider.origin}/v1`, deadline })
      const body = JSON.stringify({ ...hello, stream: true })
      await fetch(`${provider.origin}/v1/chat/completions`, { method: "POST", body })
    }
    await libraryThatForgets()
    await until(() => heard.length > 0)
    assert.match(heard[0]!, /dropped before its end.*libraryThatForgets.*lifetime\.test\.ts:\d+/)
    await until(async () => (await clients.stats()).clients.every(({ inFlight }) => inFlight === 0))
  })

  it("that is read, cancelled or aborted is collected silently", async () => {
    const sandbox = await sandboxOf()
    const set = setOf()
    const heard = warningsOf()
    let collected = 0
    const registry = new FinalizationRegistry(() => collected++)
    const one = async (end: (response: Response, abort: () => void) => Promise<unknown>) => {
      const controller = new AbortController()
      const response = await stream(fetchOf(set, sandbox), url(sandbox), { signal: controller.signal })
      registry.register(response.body!, undefined)
      await end(response, () => controller.abort())
    }
    await one((response) => response.text())
    await one((response) => response.body!.cancel())
    await one(async (_, abort) => abort())
    await until(() => collected === 3)
    await pause(20)
    assert.deepStrictEqual(heard, [])
    assert.strictEqual(await held(set), 0)
  })
})
