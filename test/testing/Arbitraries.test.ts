import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as ClientMap from "../../src/ClientMap.ts"
import * as GroqClient from "../../src/GroqClient.ts"
import * as Arbitraries from "../../src/testing/Arbitraries.ts"
import * as ClientMapTest from "../../src/testing/ClientMapTest.ts"

const ask = (options: GroqClient.Options) => GroqClient.use(options, (groq) => groq.models.list())

interface PropertyOptions {
  readonly numRuns?: number
  readonly timeout?: number
}

const holds = <A extends [unknown, ...Array<unknown>], E>(
  name: string,
  arbitraries: { [K in keyof A]: fc.Arbitrary<A[K]> },
  property: (values: A) => Effect.Effect<void, E>,
  { numRuns = 100, timeout = 60_000 }: PropertyOptions = {}
): void =>
  it(
    name,
    () =>
      fc.assert(
        fc.asyncProperty(fc.tuple(...arbitraries), (values) => Effect.runPromise(property(values as A))),
        { numRuns }
      ),
    timeout
  )

describe("arbitraries", () => {
  holds(
    "of the same options in other words are one key",
    [Arbitraries.sameOptions],
    ([[one, other]]) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* GroqClient.config(one), yield* GroqClient.config(other))
      }),
    { numRuns: 30 }
  )

  holds("of options and of tenants can all be used", [Arbitraries.options, Arbitraries.tenants(3)], ([one, all]) =>
    Effect.gen(function* () {
      yield* GroqClient.config(one)
      const configs = yield* Effect.forEach(all, (options) => GroqClient.config(options))
      assert.strictEqual(new Set(configs).size, 3)
    })
  )

  holds(
    "of interleavings and faults: agents of the same tenant share a client however they run, and leave no lease",
    [Arbitraries.interleaving, Arbitraries.faults, Arbitraries.tenants(3)],
    ([interleaving, faults, tenants]) =>
      Effect.gen(function* () {
        const agents = [...tenants, ...tenants, ...tenants].map((options) =>
          ask({ ...options, maxRetries: 0, quota: {}, deadline: undefined })
        )
        const exits = yield* interleaving(agents)
        assert.strictEqual(exits.length, 9)
        for (const exit of exits) {
          assert.isTrue(Exit.isSuccess(exit) || Option.isSome(Cause.failureOption(exit.cause)), String(exit))
        }
        const { built, clients } = yield* ClientMap.stats
        assert.strictEqual(built, 3)
        assert.isTrue(clients.every(({ inFlight, leases }) => leases === 0 && inFlight === 0))
      }).pipe(Effect.provide(ClientMapTest.layer({ faults }))),
    { numRuns: 8, timeout: 180_000 }
  )
})
