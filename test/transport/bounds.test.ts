import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import type { ClientError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Starvation from "../../src/internal/transport/starvationLog.ts"
import { makePool } from "../../src/internal/transport/pool.ts"
import { SocketBudget } from "../../src/internal/transport/sockets.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { question, type Subject, subjects } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const roads = [
  { name: "HTTP/1.1", sandbox: { protocol: "http/1.1" } },
  { name: "HTTP/2", sandbox: { protocol: "both", tls: true } }
] as const

const times = (n: number) => Array.from({ length: n }, (_, i) => i)

const facts = (error: ClientError) => (error._tag === "RequestError" ? [error.reason, error.processed] : [error._tag])

const within = (subject: Subject, sandbox: Sandbox.Sandbox, timeout: number) =>
  Effect.flatMap(subject.config(sandbox, { timeout, maxRetries: 0 }), (config) => subject.ask(config))

const everySubject = <E, R>(f: (subject: Subject) => Effect.Effect<void, E, R>) =>
  Effect.forEach(subjects, f, { concurrency: "unbounded", discard: true })

describe("the bound on connections", () => {
  it.live("400 agents of four providers on 8 connections succeed, though they queue for longer than the timeout", () =>
    Effect.gen(function* () {
      // 50 rounds of 100 ms.
      const sandbox = yield* Sandbox.make({ protocol: "http/1.1", latency: 100 })
      const agents = yield* Effect.forEach(times(20), (i) => {
        const subject = subjects[i % 4]!
        const options = { key: `sk-${i}`, timeout: 4_000, maxRetries: 0, transport: { maxConnections: 8 } }
        return Effect.map(subject.config(sandbox, options), (config) => subject.ask(config))
      })
      const started = performance.now()
      yield* Effect.forEach(times(400), (i) => agents[i % 20]!, { concurrency: "unbounded", discard: true })
      assert.isAbove(performance.now() - started, 4_500, "the queue was longer than the timeout")
      const { connections, requests } = sandbox.stats()
      assert.strictEqual(requests, 400)
      assert.isAtMost(connections.peak, 8)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("40 origins under one bound of 16 sockets: all succeed, and never more are open", () =>
    Effect.gen(function* () {
      const sandboxes = yield* Effect.forEach(times(40), () => Sandbox.make({ latency: 5 }))
      const peak = { server: 0, ours: 0 }
      const look = Effect.map(ClientMap.stats, ({ sockets }) => {
        const open = sandboxes.reduce((sum, sandbox) => sum + sandbox.stats().connections.open, 0)
        peak.server = Math.max(peak.server, open)
        peak.ours = Math.max(peak.ours, sockets)
      })
      yield* Effect.forkScoped(Effect.forever(Effect.zipRight(look, Effect.sleep(3))))
      const ask = (i: number) =>
        OpenAiClient.use({ apiKey: Redacted.make("k"), baseURL: sandboxes[i % 40]!.baseURL("openai") }, (client) =>
          client.models.list()
        )
      yield* Effect.forEach(times(400), ask, { concurrency: "unbounded", discard: true })
      assert.deepStrictEqual(
        sandboxes.map((sandbox) => sandbox.stats().requests),
        times(40).map(() => 10)
      )
      assert.isAtMost(peak.ours, 16)
      assert.isAbove(peak.ours, 8, "the looking saw something")
      // A socket that was closed for another's sake is open for the server until it reads so.
      assert.isAtMost(peak.server, 2 * 16)
    }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer({ maxSockets: 16 })))
  )

  it.live("agents that wait long for sockets bring about one warning, which names the bound", () =>
    Effect.gen(function* () {
      const messages: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        messages.push(`${logLevel.label} ${String(message)}`)
      })
      const sandbox = yield* Sandbox.make({ protocol: "http/1.1", latency: 100 })
      const onStarved = yield* Effect.provide(Starvation.warner, Logger.replace(Logger.defaultLogger, logger))
      const send = async (options: { readonly maxConnections: number; readonly maxSockets: number }) => {
        const pool = makePool({
          origin: sandbox.origin,
          budget: new SocketBudget(options.maxSockets),
          maxConnections: options.maxConnections,
          starvedAfter: 150,
          onStarved
        })
        const body = JSON.stringify(question("hi"))
        const timeouts = { headers: Infinity, body: Infinity }
        const request = async () => {
          const headers = { "content-type": "application/json" }
          const path = "/v1/chat/completions"
          const response = await pool.request({ method: "POST", path, headers, body, signal: undefined, timeouts })
          while ((await response.body.read()) !== undefined);
        }
        await Promise.all(times(20).map(request))
        await pool.close(0)
      }
      yield* Effect.promise(() => send({ maxConnections: 2, maxSockets: 100 }))
      assert.strictEqual(messages.length, 1)
      assert.match(messages[0]!, /^WARN http:\/\/127.*maxConnections = 2 .*raise `transport.maxConnections`/)
      yield* Effect.promise(() => send({ maxConnections: 100, maxSockets: 20 }))
      assert.strictEqual(messages.length, 1, "nobody waited")
    }).pipe(Effect.scoped)
  )
})

for (const road of roads) {
  describe(`timeouts over ${road.name}`, () => {
    it.live("are those of the config, however long", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ ...road.sandbox, latency: 600 })
        yield* everySubject((subject) =>
          Effect.gen(function* () {
            const [short, long, never] = yield* Effect.all(
              [
                Effect.flip(within(subject, sandbox, 300)),
                within(subject, sandbox, 20_000),
                within(subject, sandbox, Infinity)
              ],
              { concurrency: "unbounded" }
            )
            assert.deepStrictEqual(facts(short), ["Timeout", "maybe"])
            assert.notStrictEqual(long, "")
            assert.strictEqual(long, never)
          })
        )
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("hold for chunks and for the whole", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ ...road.sandbox, tokens: 20, timePerToken: 20 })
        sandbox.faults.push({ match: { apiKey: "stalled" }, fault: { type: "stall", at: "body" } })
        yield* everySubject((subject) =>
          Effect.gen(function* () {
            const stalling = yield* subject.config(sandbox, { key: "stalled", bodyTimeout: 200, maxRetries: 0 })
            const dripping = yield* subject.config(sandbox, { key: "dripping", deadline: 150, maxRetries: 0 })
            const patient = yield* subject.config(sandbox, { key: "fine", bodyTimeout: 10_000, deadline: 20_000 })
            const [stalled, dripped, whole] = yield* Effect.all(
              [
                Effect.flip(Stream.runDrain(subject.stream(stalling))),
                Effect.flip(Stream.runDrain(subject.stream(dripping))),
                Stream.runCount(subject.stream(patient))
              ],
              { concurrency: "unbounded" }
            )
            assert.deepStrictEqual([facts(stalled)[0], facts(dripped)[0], whole], ["Timeout", "Timeout", 20])
            assert.match(stalled.message, /chunk within 200 ms/)
            assert.match(dripped.message, /deadline of 150 ms/)
          })
        )
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  })

  it.live(`200 unread bodies on 4 connections over ${road.name} do not stop the pool`, () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ ...road.sandbox, maxStreams: 10, tokens: 3000 })
      const config = yield* OpenAiClient.config({
        apiKey: Redacted.make("k"),
        baseURL: sandbox.baseURL("openai"),
        transport: { ca: sandbox.ca, maxConnections: 4 }
      })
      // Half of them are streams, which nobody reads in our place.
      const ignore = (i: number) =>
        OpenAiClient.use(config, async (client) => {
          const body = { ...question("hi"), stream: i % 2 === 0 }
          if (i % 5 === 0) {
            await client.chat.completions.create(body)
            return 200
          }
          const response = await client.chat.completions.create(body).asResponse()
          return response.status
        })
      const statuses = yield* Effect.forEach(times(200), ignore, { concurrency: 100 })
      assert.deepStrictEqual([...new Set(statuses)], [200])
      yield* OpenAiClient.use(config, (client) => client.models.list())
      assert.isAtMost(sandbox.stats().connections.peak, 4 + 4)
      yield* eventually(ClientMap.stats, ({ clients }) => clients[0]!.inFlight === 0)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
}
