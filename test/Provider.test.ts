import { describe, it } from "@effect/vitest"
import { Anthropic } from "@anthropic-ai/sdk"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { assert, expectTypeOf } from "vitest"
import * as AnthropicClient from "../examples/anthropic.ts"
import * as ClientLayer from "../src/ClientLayer.ts"
import * as ClientMap from "../src/ClientMap.ts"
import * as Provider from "../src/Provider.ts"
import * as Sandbox from "../src/testing/Sandbox.ts"
import { eventually } from "./support/wait.ts"

const options = (sandbox: Sandbox.Sandbox, key = "sk-ant-1") => ({
  apiKey: Redacted.make(key),
  baseURL: sandbox.baseURL("anthropic"),
  transport: { ca: sandbox.ca }
})

for (const tls of [false, true]) {
  describe(`a provider written outside of the package, over ${tls ? "HTTP/2" : "HTTP/1.1"}`, () => {
    it.live("gives its SDK's own client, shared, with the key in its own header", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ tls })
        const client = yield* AnthropicClient.get(options(sandbox))
        expectTypeOf(client).toEqualTypeOf<Anthropic>()
        assert.instanceOf(client, Anthropic)
        assert.strictEqual(yield* AnthropicClient.get(options(sandbox)), client)
        const answers = yield* Effect.forEach(
          Array.from({ length: 200 }, (_, i) => `question ${i}`),
          (question) => AnthropicClient.ask(question, options(sandbox, `sk-ant-${question.length}`)),
          { concurrency: "unbounded" }
        )
        assert.isTrue(answers.every((answer) => answer.length > 0))
        assert.isAtMost(sandbox.stats().connections.peak, tls ? 3 : 200)
        assert.deepStrictEqual(
          new Set(sandbox.stats().requestsByKey.keys()),
          new Set(["sk-ant-10", "sk-ant-11", "sk-ant-12"])
        )
      }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()))
    )

    it.live("streams under a lease", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ tls })
        const events = AnthropicClient.stream(options(sandbox), (anthropic) =>
          anthropic.messages.create({
            model: "claude-sonnet-5-5",
            max_tokens: 100,
            stream: true,
            messages: [{ role: "user", content: "hello" }]
          })
        )
        const all = yield* Stream.runCollect(events)
        assert.strictEqual(Chunk.unsafeLast(all).type, "message_stop")
        yield* eventually(ClientMap.stats, ({ clients }) => clients[0]!.leases === 0 && clients[0]!.inFlight === 0)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("has typed errors and our retries", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ tls, faults: [{ times: 1, fault: { type: "status", status: 529 } }] })
        assert.notStrictEqual(yield* AnthropicClient.ask("again", options(sandbox)), "")
        assert.strictEqual(sandbox.stats().requests, 2)
        sandbox.faults.push({ fault: { type: "status", status: 401 } })
        const error = yield* Effect.flip(AnthropicClient.ask("never", options(sandbox)))
        assert.strictEqual(error._tag === "RequestError" && error.reason, "Authentication")
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  })
}

describe("a provider around another", () => {
  it.live("lends what its build returns, over the same fetch", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const wrapped: Array<Anthropic> = []
      const { use } = ClientMap.accessors({
        ...AnthropicClient.provider,
        build: (config, deps) =>
          Effect.map(AnthropicClient.provider.build(config, deps), ({ client, fetch }) => {
            const other = client.withOptions({ defaultHeaders: { "x-wrapped": "yes" } })
            wrapped.push(other)
            return { client: other, fetch }
          })
      })
      const lent = yield* use(options(sandbox), async (client) => {
        await client.models.list()
        return client
      })
      assert.deepStrictEqual(wrapped, [lent])
      assert.strictEqual(sandbox.stats().requests, 1)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("gives its client as a layer over what the client map builds it on", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const { tag } = AnthropicClient.provider
      const { use } = ClientMap.accessors({
        ...AnthropicClient.provider,
        build: (config, deps) =>
          Effect.gen(function* () {
            const { fetch } = yield* AnthropicClient.provider.build(config, deps)
            const services = yield* Layer.build(AnthropicClient.provider.layer(config)).pipe(
              Effect.provideService(Provider.BuildContext, deps)
            )
            return { client: Context.get(services, tag), fetch }
          })
      })
      const page = yield* use(options(sandbox), (client) => client.models.list())
      assert.isNotEmpty(page.data)
      assert.strictEqual(sandbox.stats().requests, 1)
      yield* eventually(ClientMap.stats, ({ clients }) => clients[0]!.leases === 0 && clients[0]!.inFlight === 0)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("lends the client of a layer in place of its own, and builds a fetch once one is asked for", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const { tag } = AnthropicClient.provider
      const own = new Anthropic({ apiKey: "none" })
      let builds = 0
      const made = Provider.make({
        tag,
        spec: { id: "anthropic" },
        construct: (given) => {
          builds++
          return new Anthropic({ ...given, authToken: null })
        }
      })
      const provider = { ...made, layer: () => Layer.succeed(tag, own) }
      const map = yield* ClientMap.ClientMap
      const config = yield* provider.config(options(sandbox))
      assert.strictEqual(yield* map.get(provider, config), own)
      assert.strictEqual(builds, 0)
      const list = ({ fetch }: Provider.PooledFetch) =>
        Effect.promise(async () => {
          const response = await fetch(`${config.baseURL}/v1/models`, { headers: { "x-api-key": "sk-ant-1" } })
          await response.text()
          return response.status
        })
      assert.deepStrictEqual(
        [yield* map.useOutlet(provider, config, list), yield* map.useOutlet(provider, config, list)],
        [200, 200]
      )
      assert.strictEqual(builds, 1)
      assert.strictEqual((yield* ClientMap.stats).built, 1)
    }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()))
  )
})
