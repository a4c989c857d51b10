/** Series of metrics do not grow with the keys. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Credential from "../../src/Credential.ts"
import * as GroqClient from "../../src/GroqClient.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import * as ClientMapTest from "../../src/testing/ClientMapTest.ts"
import { settle } from "../support/handTicker.ts"
import { allSeries } from "../support/metrics.ts"

const range = (size: number) => Array.from({ length: size }, (_, i) => i)

const KEYS = 10_000
/** Keys of one client. */
const EACH = 40

/** Asks with each of these keys. One that has been used is not open again before the clock moves, so each has its turn. */
const askWith = (keys: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const groq = yield* GroqClient.get({
      apiKey: Credential.pool(keys.map((key) => Redacted.make(`sk-${key}`))),
      quota: { requestsPerMinute: 60, maxConcurrency: 4 }
    })
    const ask = () => groq.chat.completions.create({ model: "m", messages: [{ role: "user", content: "hello" }] })
    yield* Effect.promise(() => Promise.all(keys.map(ask)))
    // Nothing here waits for anything: without it the runner would not hear of the test until its end.
    yield* Effect.promise(() => settle())
  })

/** Number of series, the gauges of all that is held included. */
const told = Effect.map(Telemetry.prometheus, () => allSeries().length)

it.effect(
  "ten thousand keys, with budgets that are in use, make no more series than one",
  () =>
    Effect.gen(function* () {
      yield* askWith([KEYS])
      const before = yield* told
      for (const first of range(KEYS / EACH)) yield* askWith(range(EACH).map((key) => first * EACH + key))
      const { requests } = yield* ClientMapTest.ClientMapTest
      assert.strictEqual(new Set(requests.map(({ apiKey }) => apiKey)).size, KEYS + 1)
      const { quotas } = yield* ClientMap.stats
      assert.strictEqual(quotas.filter(({ models }) => models.length > 0).length, KEYS + 1)
      assert.strictEqual(yield* told, before)
    }).pipe(Effect.scoped, Effect.provide(ClientMapTest.layer())),
  180_000
)
