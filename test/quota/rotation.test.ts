/** Which token each request carries, by a clock that stands still while a hundred are sent. */
import { describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as TestServices from "effect/TestServices"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Credential from "../../src/Credential.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { subjects } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const soon = <A, E, R>(look: Effect.Effect<A, E, R>, isSo: (value: A) => boolean) =>
  TestServices.provideLive(eventually(look, isSo))

for (const subject of subjects) {
  describe.concurrent(`the tokens of ${subject.name}`, () => {
    it.scoped("of a hundred requests at once are valid when they are sent, and refreshed while none waits", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        let loads = 0
        const credential = Credential.make({
          id: `clocked/${subject.name}`,
          load: Effect.map(Clock.currentTimeMillis, (now) => ({
            secret: Redacted.make(`token-${++loads}`),
            expiresAt: new Date(now + 1_000)
          })),
          refreshBefore: 300
        })
        const config = yield* subject.config(sandbox, { apiKey: credential })
        // Each token lives a second, and the next is loaded by the first request of its last 300 ms.
        const found: Array<readonly [number, ReadonlyArray<string>, number]> = []
        for (const now of [0, 650, 750, 1_000, 3_000]) {
          yield* TestClock.setTime(now)
          sandbox.resetStats()
          const before = loads
          yield* Effect.forEach(Array.from({ length: 100 }), () => subject.ask(config), { concurrency: "unbounded" })
          if (now === 750) {
            yield* soon(
              Effect.sync(() => loads),
              (count) => count === before + 1
            )
          }
          // Between the two of a refresh either is good; what matters is that no third one goes out.
          const keys = [...sandbox.stats().requestsByKey].map(([key]) => key).sort()
          assert.strictEqual(sandbox.stats().requests, 100)
          found.push([now, now === 750 ? keys.slice(0, 1) : keys, loads])
        }
        assert.deepStrictEqual(found, [
          [0, ["token-1"], 1],
          [650, ["token-1"], 1],
          [750, ["token-1"], 2],
          [1_000, ["token-2"], 2],
          [3_000, ["token-3"], 3]
        ])
      }).pipe(Effect.provide(ClientLayer.layer()))
    )

    for (const [what, now, other, loaded] of [
      ["were refreshed", 750, true, "token-2"],
      ["expired", 1_000, false, "token-2"],
      ["are good", 600, false, "token-1"]
    ] as const) {
      it.scoped(`are those of the moment when there is a socket, if they ${what} while a request waited for one`, () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({
            protocol: "http/1.1",
            faults: [{ times: 1, fault: { type: "stall", at: "body" } }]
          })
          let loads = 0
          const credential = Credential.make({
            id: `queued/${subject.name}/${what}`,
            load: Effect.map(Clock.currentTimeMillis, (now) => ({
              secret: Redacted.make(`token-${++loads}`),
              expiresAt: new Date(now + 1_000)
            })),
            refreshBefore: 300
          })
          const config = yield* subject.config(sandbox, {
            apiKey: credential,
            maxRetries: 0,
            transport: { maxConnections: 1 }
          })
          const first = yield* Effect.fork(subject.ask(config))
          yield* soon(
            Effect.sync(() => sandbox.stats().inFlight),
            (inFlight) => inFlight === 1
          )
          const agents = [yield* Effect.fork(subject.ask(config))]
          const waits = (count: number) => soon(ClientMap.stats, ({ clients }) => clients[0]!.inFlight === 1 + count)
          yield* waits(1)
          yield* TestClock.setTime(now)
          if (other) {
            agents.push(yield* Effect.fork(subject.ask(config)))
            yield* waits(2)
            yield* soon(
              Effect.sync(() => loads),
              (count) => count === 2
            )
          }
          sandbox.apiKeys([loaded])
          yield* Fiber.interrupt(first)
          yield* Effect.forEach(agents, (agent) => Fiber.join(agent))
          assert.deepStrictEqual(
            [...sandbox.stats().requestsByKey],
            loaded === "token-1"
              ? [["token-1", 2]]
              : [
                  ["token-1", 1],
                  ["token-2", agents.length]
                ]
          )
          assert.strictEqual(loads, loaded === "token-1" ? 1 : 2)
        }).pipe(Effect.provide(ClientLayer.layer()))
      )
    }

    it.live("change with a bumped version for the next request, while a stream ends on the old one", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ timePerToken: 10, tokens: 20 })
        const version = yield* Ref.make(1)
        const credential = Credential.make({
          id: `versioned/${subject.name}`,
          version: Ref.get(version),
          load: Effect.map(Ref.get(version), (n) => Redacted.make(`token-${n}`))
        })
        const config = yield* subject.config(sandbox, { apiKey: credential })
        const stream = yield* Effect.fork(Stream.runCollect(subject.stream(config)))
        yield* eventually(
          Effect.sync(() => sandbox.stats().inFlight),
          (inFlight) => inFlight === 1
        )
        yield* Ref.set(version, 2)
        // Held since before, or made anew: both.
        yield* subject.ask(config)
        yield* subject.ask(yield* subject.config(sandbox, { apiKey: credential }))
        assert.strictEqual((yield* Fiber.join(stream)).length, 20)
        assert.deepStrictEqual(
          [...sandbox.stats().requestsByKey],
          [
            ["token-1", 1],
            ["token-2", 2]
          ]
        )
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  })
}
