/**
 * Arbitraries for property tests of agents: options of clients, equivalent options in other notations, faults of a
 * provider, and orders in which agents run. For fast-check, as effect has it.
 *
 * @example
 * ```ts
 * import { it } from "@effect/vitest"
 * import { assert } from "vitest"
 * import * as GroqClient from "clientele/GroqClient"
 * import * as Arbitraries from "clientele/testing/Arbitraries"
 * import * as Effect from "effect/Effect"
 *
 * it.effect.prop("options that mean the same are one key", [Arbitraries.sameOptions], ([[one, other]]) =>
 *   Effect.gen(function* () {
 *     assert.strictEqual(yield* GroqClient.config(one), yield* GroqClient.config(other))
 *   })
 * )
 * ```
 *
 * @since 0.1.0
 */
import "../internal/needs-effect-3/run-npm-install-effect@3.ts"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Redacted from "effect/Redacted"
import type { CommonOptions } from "../ClientConfig.ts"
import type { Fault, FaultRule } from "../internal/sandbox/model.ts"

const word = FastCheck.stringMatching(/^[a-z][a-z0-9]{0,7}$/)
const maybe = <A>(of: FastCheck.Arbitrary<A>): FastCheck.Arbitrary<A | undefined> =>
  FastCheck.option(of, { nil: undefined })
const seconds = FastCheck.integer({ min: 1, max: 600 })
const limit = FastCheck.integer({ min: 1, max: 10_000 })

interface Meaning {
  readonly key: string
  readonly host: string
  readonly timeout: number | undefined
  readonly deadline: number | undefined
  readonly maxRetries: number | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  readonly maxConnections: number | undefined
  readonly requestsPerMinute: number | undefined
  readonly maxConcurrency: number | undefined
}

const meaning: FastCheck.Arbitrary<Meaning> = FastCheck.record({
  key: FastCheck.stringMatching(/^sk-[a-zA-Z0-9]{8,24}$/),
  host: word,
  timeout: maybe(seconds),
  deadline: maybe(seconds),
  maxRetries: maybe(FastCheck.integer({ min: 0, max: 5 })),
  headers: FastCheck.dictionary(
    word.map((name) => `x-${name}`),
    word,
    { maxKeys: 3 }
  ),
  query: FastCheck.dictionary(word, word, { maxKeys: 3 }),
  maxConnections: maybe(limit),
  requestsPerMinute: maybe(limit),
  maxConcurrency: maybe(limit)
})

const plainly = (of: Meaning): CommonOptions => ({
  apiKey: Redacted.make(of.key),
  baseURL: `https://${of.host}.example/v1`,
  timeout: of.timeout === undefined ? undefined : of.timeout * 1_000,
  deadline: of.deadline === undefined ? undefined : of.deadline * 1_000,
  maxRetries: of.maxRetries,
  headers: of.headers,
  query: of.query,
  transport: { maxConnections: of.maxConnections },
  quota: { requestsPerMinute: of.requestsPerMinute, maxConcurrency: of.maxConcurrency }
})

const reversed = <A>(of: Readonly<Record<string, A>>): Record<string, A> =>
  Object.fromEntries(Object.entries(of).toReversed())

/** The same in other words: units, case, order, slashes, ports, and absent for `undefined`. */
const otherwise = (of: Meaning): CommonOptions => {
  const { deadline, headers, host, maxRetries, query, timeout } = of
  const all = plainly(of)
  return {
    query: reversed(query),
    quota: all.quota,
    transport: all.transport,
    headers: reversed(Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]))),
    ...(maxRetries !== undefined && { maxRetries }),
    ...(deadline !== undefined && { deadline: `${deadline} seconds` as const }),
    ...(timeout !== undefined && { timeout: `${timeout} seconds` as const }),
    baseURL: `https://${host.toUpperCase()}.EXAMPLE:443/v1/`,
    apiKey: Redacted.make(of.key)
  }
}

/**
 * Options of a client that can be used: a key, and whatever else of what all providers take.
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const options: FastCheck.Arbitrary<CommonOptions> = meaning.map(plainly)

/**
 * Two ways to write the same options: they are one client.
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const sameOptions: FastCheck.Arbitrary<readonly [CommonOptions, CommonOptions]> = meaning.map((of) => [
  plainly(of),
  otherwise(of)
])

/**
 * Options of so many tenants, no two with the same key.
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const tenants = (count: number): FastCheck.Arbitrary<ReadonlyArray<CommonOptions>> =>
  FastCheck.uniqueArray(meaning, { minLength: count, maxLength: count, selector: ({ key }) => key }).map((all) =>
    all.map(plainly)
  )

const fault: FastCheck.Arbitrary<Fault> = FastCheck.oneof(
  FastCheck.constantFrom(400, 401, 404, 408, 429, 500, 503).map((status): Fault => ({ type: "status", status })),
  FastCheck.constantFrom<Fault>(
    { type: "resetBeforeHeaders" },
    { type: "resetMidBody" },
    { type: "garbage", what: "json" },
    { type: "truncate" }
  )
)

/**
 * Faults of a provider, for `Sandbox` and `ClientMapTest`: rules that end, so that retries get through.
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const faults: FastCheck.Arbitrary<ReadonlyArray<FaultRule>> = FastCheck.array(
  FastCheck.record({ fault, times: FastCheck.integer({ min: 1, max: 3 }) }),
  { maxLength: 5 }
)

/**
 * Runs effects at the same time, in an order of its own, and gives their exits in theirs.
 *
 * @since 0.1.0
 * @category models
 */
export type Interleaving = <A, E, R>(
  effects: ReadonlyArray<Effect.Effect<A, E, R>>
) => Effect.Effect<Array<Exit.Exit<A, E>>, never, R>

/** Below about a dozen operations a turn effect's own fibers get nowhere. */
const MIN_OPERATIONS_PER_TURN = 12

/**
 * Orders in which effects begin, and are cut into turns: where a step of one may fall between two of another. The same
 * interleaving runs the same effects in the same order.
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const interleaving: FastCheck.Arbitrary<Interleaving> = FastCheck.record({
  delays: FastCheck.array(FastCheck.nat(8), { minLength: 1, maxLength: 32 }),
  budgets: FastCheck.array(FastCheck.integer({ min: MIN_OPERATIONS_PER_TURN, max: 200 }), {
    minLength: 1,
    maxLength: 32
  })
}).map(
  ({ budgets, delays }): Interleaving =>
    (effects) =>
      Effect.forEach(
        effects,
        (effect, i) => {
          const wait = Effect.repeatN(Effect.yieldNow(), delays[i % delays.length]!)
          return Effect.zipRight(wait, Effect.exit(effect)).pipe(
            Effect.withMaxOpsBeforeYield(budgets[i % budgets.length]!)
          )
        },
        { concurrency: "unbounded" }
      )
)
