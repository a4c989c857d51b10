/**
 * Requests that never reached a provider are retried within `maxRetries` and `maxRetryAfter`, and however many wait,
 * the dials are few.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ClientError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import type * as ClientMap from "../../src/ClientMap.ts"
import { makeClients } from "../../src/Promise.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { ask as asked, subjects as doors } from "../promise/doors.ts"
import { type Place, type Subject, subjects } from "../support/providers.ts"
import { serveToxics } from "../support/toxics.ts"
import { eventually } from "../support/wait.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

const facts = (error: ClientError) =>
  error._tag === "RequestError" ? [error.reason, error.processed, error.attempts] : [error._tag]

const run = <A, E>(effect: Effect.Effect<A, E, ClientMap.ClientMap | Scope.Scope>) =>
  effect.pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)

/** A provider behind a proxy that resets what connects to it, until it is cleared. */
const unreachable = Effect.gen(function* () {
  const sandbox = yield* Sandbox.make({ tls: true, protocol: "both" })
  const { port } = new URL(sandbox.origin)
  const proxy = yield* Effect.acquireRelease(
    Effect.promise(() => serveToxics(Number(port))),
    (proxy) => Effect.promise(() => proxy.close())
  )
  proxy.add({ type: "resetPeer" })
  const near = (url: string) => url.replace(`:${port}`, `:${proxy.port}`)
  const place: Place = { baseURL: (provider) => near(sandbox.baseURL(provider)), ca: sandbox.ca }
  return { sandbox, proxy, place, origin: near(sandbox.origin) }
})

const dialled = (proxy: { readonly connections: number }, times: number) =>
  eventually(
    Effect.sync(() => proxy.connections),
    (connections) => connections >= times
  )

it.live("a perhaps processed request stays so, though its retry was never sent", () =>
  run(
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "stall", at: "headers" } }] })
      const { port } = new URL(sandbox.origin)
      const proxy = yield* Effect.promise(() => serveToxics(Number(port)))
      const baseURL = sandbox.baseURL("openai").replace(`:${port}`, `:${proxy.port}`)
      const config = yield* openai.config(sandbox, { baseURL, maxRetryAfter: 500 })
      const down = Effect.andThen(
        eventually(
          Effect.sync(() => sandbox.stats().inFlight),
          (inFlight) => inFlight === 1
        ),
        Effect.promise(() => proxy.down())
      )
      const [error] = yield* Effect.all([Effect.flip(openai.ask(config)), down], { concurrency: 2 })
      const [reason, processed, attempts] = facts(error)
      assert.deepStrictEqual([reason, processed], ["Connection", "maybe"])
      assert.isAbove(Number(attempts), 1)
    })
  )
)

describe.concurrent("a request to an unreachable server", () => {
  it.live("is sent once it is reachable, with one retry, through every entry point", () =>
    run(
      Effect.gen(function* () {
        const clients = yield* Effect.acquireRelease(
          Effect.sync(() => makeClients()),
          (clients) => Effect.promise(() => clients.close())
        )
        const maxRetries = 1
        const roads = [
          ...subjects.map(
            (subject) => (place: Place) =>
              Effect.flatMap(subject.config(place, { maxRetries }), (config) => subject.ask(config))
          ),
          ...doors.map(
            ({ get }) =>
              ({ ca }: Place, origin: string) =>
                Effect.promise(async () => asked(get(origin, { maxRetries, transport: { ca } }, clients)))
          ),
          ...doors.map(
            ({ get }) =>
              ({ ca }: Place, origin: string) =>
                // A single request's own.
                Effect.promise(async () =>
                  asked(get(origin, { maxRetries: 0, transport: { ca } }, clients), { maxRetries })
                )
          )
        ]
        yield* Effect.forEach(
          roads,
          (ask) =>
            Effect.gen(function* () {
              const { origin, place, proxy, sandbox } = yield* unreachable
              const heal = Effect.andThen(
                dialled(proxy, 1),
                Effect.sync(() => proxy.clear())
              )
              const [answer] = yield* Effect.all([ask(place, origin), heal], { concurrency: 2 })
              assert.isOk(answer)
              assert.strictEqual(sandbox.stats().requests, 1)
            }),
          { concurrency: "unbounded", discard: true }
        )
      })
    )
  )

  it.live("is sent with all others that waited, without a dial for each", () =>
    run(
      Effect.gen(function* () {
        const { place, proxy, sandbox } = yield* unreachable
        const config = yield* openai.config(place)
        const heal = Effect.gen(function* () {
          yield* dialled(proxy, 1)
          const began = performance.now()
          yield* dialled(proxy, 4)
          proxy.clear()
          return performance.now() - began
        })
        const [answers, passed] = yield* Effect.all(
          [
            Effect.all(
              Array.from({ length: 300 }, () => openai.ask(config)),
              { concurrency: "unbounded" }
            ),
            heal
          ],
          { concurrency: 2 }
        )
        assert.lengthOf(answers, 300)
        assert.strictEqual(sandbox.stats().requests, 300)
        // A retry comes after 375 ms at least, and then one probe after another; that the first dial is seen takes a moment.
        assert.isAtLeast(passed, 400)
        assert.isAtMost(proxy.connections, 12)
      })
    )
  )

  for (const [how, options, dials] of [
    // Requests that come when the first dial has failed get the verdict of a probe.
    ["at once without retries", { maxRetries: 0 }, 3],
    ["with retries when maxRetryAfter is over", { maxRetryAfter: 1_000 }, 20]
  ] as const) {
    it.live(`fails, unsent, if it stays unreachable, after a few dials for all: ${how}`, () =>
      run(
        Effect.gen(function* () {
          const { place, proxy, sandbox } = yield* unreachable
          const config = yield* openai.config(place, options)
          const errors = yield* Effect.all(
            Array.from({ length: 300 }, () => Effect.flip(openai.ask(config))),
            { concurrency: "unbounded" }
          )
          const kinds = new Set(errors.map((error) => facts(error).slice(0, 2).join()))
          assert.deepStrictEqual([...kinds], ["Connection,no"])
          assert.strictEqual(sandbox.stats().requests, 0)
          assert.isAtMost(proxy.connections, dials)
        })
      )
    )
  }

  it.live("fails after its first attempt without retries", () =>
    run(
      Effect.gen(function* () {
        const { place, proxy } = yield* unreachable
        const config = yield* openai.config(place, { maxRetries: 0 })
        assert.deepStrictEqual(facts(yield* Effect.flip(openai.ask(config))), ["Connection", "no", 1])
        assert.strictEqual(proxy.connections, 1)
      })
    )
  )

  it.live("does not wait for a probe if it may never wait, whatever its retries", () =>
    run(
      Effect.gen(function* () {
        const { place, proxy } = yield* unreachable
        const config = yield* openai.config(place, { maxRetries: 8, maxRetryAfter: 0 })
        const [reason, processed, attempts] = facts(yield* Effect.flip(openai.ask(config)))
        assert.deepStrictEqual([reason, processed], ["Connection", "no"])
        // A retry goes only if a probe is due just when its backoff is over.
        assert.isAtMost(Number(attempts), 5)
        assert.isAtMost(proxy.connections, 5)
      })
    )
  )
})
