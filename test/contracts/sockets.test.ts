import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { ask, question } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const roads = [
  { name: "HTTP/1.1", sandbox: { protocol: "http/1.1" } },
  { name: "HTTP/2", sandbox: { protocol: "both", tls: true } }
] as const

/** A logger that keeps its lines. */
const recorder = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    lines.push(`${logLevel.label} ${String(message)}`)
  })
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}

/** Sockets open at the server, sockets that the layer counts, and clients. */
const counts = (sandbox: Sandbox.Sandbox) =>
  Effect.map(ClientMap.stats, ({ clients, sockets }) => [sandbox.stats().connections.open, sockets, clients.length])

describe.each(roads)("the sockets of an origin over $name", ({ sandbox: options }) => {
  it.live("close with its last client, although the layer stays open", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make(options)
      const of = (key: string) =>
        OpenAiClient.config({
          apiKey: Redacted.make(key),
          baseURL: sandbox.baseURL("openai"),
          transport: { ca: sandbox.ca }
        })
      const [one, other] = [yield* of("one"), yield* of("other")]
      const scope = yield* Scope.make()
      yield* Scope.extend(OpenAiClient.get(other), scope)
      yield* OpenAiClient.use(one, (client) => ask(client))
      yield* eventually(ClientMap.stats, ({ released }) => released === 1)
      assert.deepStrictEqual(yield* counts(sandbox), [1, 1, 1], "the other client stands on them")
      yield* Scope.close(scope, Exit.void)
      yield* eventually(counts(sandbox), (open) => open.every((count) => count === 0))
      yield* OpenAiClient.use(one, (client) => ask(client))
      assert.strictEqual(sandbox.stats().connections.total, 2, "and open again for the next")
    }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer({ idleTimeToLive: 50 })))
  )

  it.live("are a stream's until its last chunk, and so is its client", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ ...options, tokens: 5, timePerToken: 10 })
      const given = {
        apiKey: Redacted.make("k"),
        baseURL: sandbox.baseURL("openai"),
        transport: { ca: sandbox.ca }
      }
      const stream = OpenAiClient.stream(given, (client) =>
        client.chat.completions.create({ ...question("hi"), stream: true })
      )
      const seen = yield* Stream.runCollect(
        Stream.mapEffect(stream, () => Effect.map(ClientMap.stats, ({ clients }) => clients.map((one) => one.leases)))
      )
      for (const leases of seen) assert.deepStrictEqual(leases, [1])
      yield* eventually(counts(sandbox), (open) => open.every((count) => count === 0))
    }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer({ idleTimeToLive: 0 })))
  )
})

it.live("agents that wait five seconds for a socket bring about one warning, through the layer's logger", () => {
  const [layerLog, agentLog] = [recorder(), recorder()]
  return Effect.gen(function* () {
    const sandbox = yield* Sandbox.make({ protocol: "http/1.1", latency: 60_000 })
    const started = performance.now()
    const given = {
      apiKey: Redacted.make("k"),
      baseURL: sandbox.baseURL("openai"),
      transport: { maxConnections: 1 }
    }
    const agent = OpenAiClient.use(given, (client) => ask(client))
    for (let i = 0; i < 3; i++) yield* Effect.forkScoped(Effect.provide(agent, agentLog.layer))
    yield* eventually(
      Effect.sync(() => layerLog.lines.length),
      (lines) => lines > 0
    )
    assert.isAtLeast(performance.now() - started, 4_900)
    yield* Effect.sleep(600)
    assert.strictEqual(layerLog.lines.length, 1)
    assert.match(
      layerLog.lines[0]!,
      /^WARN http:\S+: 2 requests have waited up to [\d.]+ s .*maxConnections = 1 .*raise `transport.maxConnections`/
    )
    assert.deepStrictEqual(agentLog.lines, [])
  }).pipe(Effect.scoped, Effect.provide(Layer.provide(ClientLayer.layer({ drainTimeout: 0 }), layerLog.layer)))
})
