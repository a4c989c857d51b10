/** Failures, limits and interruption: the same through all doors, over both protocols; `sameErrors.ts` compares errors. */
import { describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import type { CommonOptions } from "../../src/ClientConfig.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Credential from "../../src/Credential.ts"
import * as OpenAiApi from "../../src/OpenAiApi.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { eventually } from "../support/wait.ts"
import { body, providers } from "./doors.ts"

const roads = [
  { name: "HTTP/1.1", sandbox: { protocol: "http/1.1" }, code: "socket" },
  { name: "HTTP/2", sandbox: { protocol: "both", tls: true }, code: 8 }
] as const

const within = <A, E>(test: Effect.Effect<A, E, ClientMap.ClientMap | Scope.Scope>) =>
  test.pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)

const textOf = (pieces: Chunk.Chunk<unknown>): string =>
  Chunk.toReadonlyArray(pieces)
    .map((piece) => {
      const { choices } = piece as { choices: ReadonlyArray<{ delta?: { content?: string | null } }> }
      return choices[0]?.delta?.content ?? ""
    })
    .join("")

const contentOf = (answer: unknown): string => {
  const { choices } = answer as { choices: ReadonlyArray<{ message: { content: string } }> }
  return choices[0]!.message.content
}

const inFlight = (sandbox: Sandbox.Sandbox, count: number) =>
  eventually(
    Effect.sync(() => sandbox.stats().inFlight),
    (now) => now === count
  )

/** Nothing is leased, on the wire or waiting any more. */
const nothingLeft = (sandbox: Sandbox.Sandbox) =>
  Effect.zipRight(
    inFlight(sandbox, 0),
    eventually(ClientMap.stats, ({ clients, quotas }) => {
      const all = [...clients.map((one) => one.leases + one.inFlight + one.queued), ...quotas.map((one) => one.queued)]
      return all.every((count) => count === 0)
    })
  )

describe.each(providers)("$name", ({ direct, name, sdk, subject, withoutEffect }) => {
  const doors = [sdk, direct, withoutEffect]
  const configOf = (sandbox: Sandbox.Sandbox, options: CommonOptions & { readonly key?: string } = {}) =>
    // The sandbox knows Cerebras by its SDK's User-Agent.
    subject.config(sandbox, { ...options, headers: { "x-sandbox-provider": name } })

  for (const door of doors) {
    for (const road of roads) {
      describe(`by the ${door.name} door over ${road.name}`, () => {
        it.live("streams the answer that it gives whole, and gives everything back", () =>
          within(
            Effect.gen(function* () {
              const sandbox = yield* Sandbox.make(road.sandbox)
              const config = yield* configOf(sandbox, { key: "sk-one" })
              const whole = contentOf(yield* door.chat(config, body("tell")))
              const pieces = yield* Stream.runCollect(door.chatStream(config, body("tell")))
              assert.strictEqual(textOf(pieces), whole)
              yield* nothingLeft(sandbox)
              assert.deepStrictEqual([...sandbox.stats().requestsByKey], [["sk-one", 2]])
              assert.strictEqual(sandbox.stats().connections.total, 1)
            })
          )
        )

        it.live("waits as a 429 says, and then gets its answer", () =>
          within(
            Effect.gen(function* () {
              const headers = { "retry-after": "0.2" }
              const faults = [{ times: 1, fault: { type: "status", status: 429, headers } as const }]
              const sandbox = yield* Sandbox.make({ ...road.sandbox, faults })
              const config = yield* configOf(sandbox)
              const [took, answer] = yield* Effect.timed(door.chat(config, body()))
              assert.notStrictEqual(contentOf(answer), "")
              assert.isAtLeast(Duration.toMillis(took), 200)
              assert.strictEqual(sandbox.stats().requests, 2)
            })
          )
        )

        it.live("fails with `processed` where a stream is cut, after what came before", () =>
          within(
            Effect.gen(function* () {
              const headers = { "content-type": "text/event-stream" }
              for (const [processed, count, fault] of [
                ["yes", 7, { type: "resetMidBody", afterChunks: 7 }],
                ["maybe", 2, { type: "status", status: 200, headers, body: cutShort }]
              ] as const) {
                const sandbox = yield* Sandbox.make({ ...road.sandbox, faults: [{ fault }] })
                const config = yield* configOf(sandbox, { maxRetries: 0 })
                const seen: Array<unknown> = []
                const stream = door.chatStream(config, body())
                const error = yield* Effect.flip(Stream.runForEach(stream, (one) => Effect.sync(() => seen.push(one))))
                assert.deepInclude({ ...error }, { reason: "Connection", processed })
                // Cerebras's SDK drops an event that came with a failure.
                assert.isAtLeast(seen.length, door.name === "SDK" ? count - 1 : count)
                yield* nothingLeft(sandbox)
              }
            })
          )
        )

        it.live("gives the events before an error event, and then fails with its words", () =>
          within(
            Effect.gen(function* () {
              for (const [code, reason] of [
                ["overloaded", "Server"],
                ["insufficient_quota", "QuotaExceeded"]
              ] as const) {
                const text = `${cutShort}data: ${JSON.stringify({ error: { message: "no more", code } })}\n\n${cutShort}`
                const headers = { "content-type": "text/event-stream" }
                const faults = [{ fault: { type: "status", status: 200, headers, body: text } as const }]
                const sandbox = yield* Sandbox.make({ ...road.sandbox, faults })
                const config = yield* configOf(sandbox)
                const seen: Array<unknown> = []
                const stream = door.chatStream(config, body())
                const error = yield* Effect.flip(Stream.runForEach(stream, (one) => Effect.sync(() => seen.push(one))))
                assert.deepInclude({ ...error }, { reason, detail: "no more", processed: "yes", attempts: 1 })
                assert.lengthOf(seen, 2)
                yield* nothingLeft(sandbox)
              }
            })
          )
        )

        it.live("ends its request when it is interrupted: before the headers, and in mid-stream", () =>
          within(
            Effect.gen(function* () {
              const sandbox = yield* Sandbox.make({ ...road.sandbox, timePerToken: 20, tokens: 500 })
              const config = yield* configOf(sandbox)
              const waiting = yield* Effect.fork(door.chat(config, body()))
              yield* inFlight(sandbox, 1)
              assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(waiting)))
              yield* inFlight(sandbox, 0)
              const started = yield* Deferred.make<void>()
              const reading = yield* Effect.fork(
                Stream.runForEach(door.chatStream(config, body()), () => Deferred.succeed(started, undefined))
              )
              yield* Deferred.await(started)
              yield* Fiber.interrupt(reading)
              yield* nothingLeft(sandbox)
              assert.deepStrictEqual([...sandbox.stats().abortCodes], [[road.code, 2]])
            })
          )
        )

        it.live("ends its request when its consumer has enough", () =>
          within(
            Effect.gen(function* () {
              const sandbox = yield* Sandbox.make({ ...road.sandbox, timePerToken: 10, tokens: 500 })
              const config = yield* configOf(sandbox)
              const some = yield* Stream.runCollect(Stream.take(door.chatStream(config, body()), 3))
              assert.strictEqual(Chunk.size(some), 3)
              yield* nothingLeft(sandbox)
              assert.strictEqual(sandbox.stats().aborts, 1)
            })
          )
        )
      })
    }

    it.live(`renews a Credential after a 401, by the ${door.name} door`, () =>
      within(
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({ apiKeys: ["sk-new-secret"] })
          const secrets = ["sk-old-secret", "sk-new-secret"]
          const apiKey = Credential.make({
            id: `rotating ${name} ${door.name}`,
            load: Effect.sync(() => Redacted.make(secrets.shift() ?? "sk-none"))
          })
          const config = yield* configOf(sandbox, { apiKey })
          assert.notStrictEqual(contentOf(yield* door.chat(config, body())), "")
          assert.deepStrictEqual([...sandbox.stats().requestsByKey.keys()], ["sk-old-secret", "sk-new-secret"])
        })
      )
    )
  }

  it.live("is one client, one quota and one pool for all doors", () =>
    within(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ protocol: "http/1.1", latency: 100 })
        const config = yield* configOf(sandbox, { quota: { maxConcurrency: 1 } })
        yield* Effect.all(
          doors.flatMap((door) => [door.chat(config, body()), door.chat(config, body())]),
          { concurrency: "unbounded" }
        )
        const { clients, quotas } = yield* ClientMap.stats
        assert.lengthOf(clients, 1)
        assert.lengthOf(quotas, 1)
        const { connections, peakInFlight, requests } = sandbox.stats()
        assert.deepStrictEqual(
          { peakInFlight, requests, total: connections.total },
          { peakInFlight: 1, requests: 2 * doors.length, total: 1 }
        )
      })
    )
  )
})

const cutShort = ["a", "b"]
  .map(
    (content) =>
      `data: ${JSON.stringify({ id: "1", choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`
  )
  .join("")

describe("the direct door", () => {
  it.live("goes on over the client that comes after one that was invalidated", () =>
    within(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const config = yield* OpenAiApi.config({ apiKey: Redacted.make("sk-1"), baseURL: sandbox.baseURL("openai") })
        const ask = OpenAiApi.chat(config, body() as never)
        yield* ask
        yield* ClientMap.invalidate(config)
        yield* ask
        yield* OpenAiClient.use(config, (openai) => openai.chat.completions.create(body() as never))
        yield* ask
        yield* Stream.runDrain(OpenAiApi.chatStream(config, body() as never))
        assert.strictEqual(sandbox.stats().requests, 5)
        yield* nothingLeft(sandbox)
      })
    )
  )

  it.live("is refused once its layer has been closed, and works in the next", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const config = yield* OpenAiApi.config({ apiKey: Redacted.make("sk-1"), baseURL: sandbox.baseURL("openai") })
        const ask = OpenAiApi.chat(config, body() as never)
        const late = yield* Effect.provide(
          Effect.zipRight(ask, Effect.context<ClientMap.ClientMap>()),
          ClientLayer.layer()
        )
        const error = yield* Effect.flip(Effect.provide(ask, late))
        assert.strictEqual(error._tag === "PoolError" && error.reason, "Closed")
        yield* Effect.provide(ask, ClientLayer.layer())
      })
    )
  )

  it.live("fails with an OptionsError for options that can't be used", () =>
    within(
      Effect.gen(function* () {
        const options = { apiKey: Redacted.make("sk-1"), timeout: -1 }
        const errors = [
          yield* Effect.flip(OpenAiApi.chat(options, body() as never)),
          yield* Effect.flip(Stream.runDrain(OpenAiApi.chatStream(options, body() as never)))
        ]
        for (const error of errors) assert.strictEqual(error._tag === "OptionsError" && error.field, "timeout")
      })
    )
  )
})
