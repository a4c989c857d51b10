import OpenAI from "openai"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { afterEach, assert, describe, it } from "vitest"
import type { ClientConfig } from "../../src/ClientConfig.ts"
import { OptionsError, PoolError } from "../../src/ClientError.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as Sets from "../../src/internal/promise/set.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { question } from "../support/providers.ts"

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

const configOf = (sandbox: Sandbox.Sandbox, options: Partial<OpenAiClient.Options> = {}) =>
  Effect.runSync(
    OpenAiClient.config({
      apiKey: Redacted.make("sk-set"),
      baseURL: sandbox.baseURL("openai"),
      maxRetries: 0,
      ...options
    })
  )

const clientOf = (set: Sets.ClientSet, config: ClientConfig<"openai">, raw?: string) =>
  set.object("openai", raw, () => ({
    config,
    sdk: {},
    make: () =>
      new OpenAI({
        apiKey: "sk-set",
        baseURL: config.baseURL,
        maxRetries: 0,
        fetch: set.fetchOf(OpenAiClient.provider, config)
      })
  }))

const ask = (client: OpenAI) => client.chat.completions.create(question("hello"))

/** Looks until it is so, for at most ten seconds. */
const until = async (isSo: () => boolean | Promise<boolean>): Promise<void> => {
  const end = Date.now() + 10_000
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error("still not so after 10 s")
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe("the fetch of a config", () => {
  it("is one function for one config, and sends over one socket for callers one after the other", async () => {
    const sandbox = await sandboxOf()
    const set = setOf()
    const config = configOf(sandbox)
    assert.strictEqual(set.fetchOf(OpenAiClient.provider, config), set.fetchOf(OpenAiClient.provider, config))
    const client = clientOf(set, config)
    for (let i = 0; i < 5; i++) await ask(client)
    const { built, clients, hits, misses, objects } = await set.stats()
    assert.deepStrictEqual(
      { built, hits, misses, objects, leases: clients.map(({ inFlight, leases }) => ({ inFlight, leases })) },
      // One lease of the map; all others were taken at the client that it gave.
      { built: 1, hits: 0, misses: 1, objects: 1, leases: [{ inFlight: 0, leases: 0 }] }
    )
    assert.strictEqual(sandbox.stats().connections.total, 1)
  })

  it("builds one client for a thousand requests that come at once", async () => {
    const sandbox = await sandboxOf()
    const set = setOf()
    const client = clientOf(set, configOf(sandbox, { transport: { maxConnections: 20 } }))
    const answers = await Promise.all(Array.from({ length: 1000 }, () => ask(client)))
    assert.strictEqual(answers.length, 1000)
    const { built, misses } = await set.stats()
    assert.deepStrictEqual({ built, misses }, { built: 1, misses: 1 })
    assert.isAtMost(sandbox.stats().connections.peak, 20)
  })
})
