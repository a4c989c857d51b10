/** Each SDK over one road, and openai over both; `secrets.slow.ts` has the others. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { Collector, print } from "../support/collect.ts"
import { found, keepsSecrets, key, roads, sdks } from "./secrets.ts"

for (const [index, subject] of sdks.entries()) keepsSecrets(subject, roads[index % roads.length]!)
keepsSecrets(sdks[0]!, roads[1])

describe("the collector", () => {
  it.live("sees a secret wherever one is printed", () =>
    Effect.gen(function* () {
      const nested = new Error("outer", { cause: new Error("middle", { cause: { token: key } }) })
      const hidden = Object.defineProperty(new Error("fine"), "request", { value: { key }, enumerable: false })
      const places: ReadonlyArray<(collector: Collector) => Effect.Effect<unknown>> = [
        () => Effect.logTrace(key),
        () => Effect.annotateLogs(Effect.logDebug("fine"), { key }),
        () => Effect.log("fine", { deep: { key } }),
        () => Effect.withLogSpan(Effect.log("fine"), key),
        () => Effect.withSpan(Effect.void, key),
        () => Effect.withSpan(Effect.void, "fine", { attributes: { key } }),
        () => Effect.withSpan(Effect.annotateCurrentSpan("key", [key]), "fine"),
        () => Effect.exit(Effect.withSpan(Effect.fail(nested), "fine")),
        () => Effect.exit(Effect.withSpan(Effect.die(hidden), "fine")),
        () => Effect.exit(Effect.tapErrorCause(Effect.fail(nested), (cause) => Effect.logError(cause))),
        (collector) => Effect.sync(() => collector.add({ a: { b: { c: { d: [key] } } } })),
        (collector) => Effect.sync(() => collector.add(print(new Map([["a", new Set([key])]])))),
        (collector) =>
          Effect.scoped(
            Effect.zipRight(
              collector.console,
              Effect.sync(() => console.error({ key }))
            )
          ),
        (collector) =>
          Effect.scoped(
            Effect.zipRight(
              collector.console,
              Effect.sync(() => process.stderr.write(key))
            )
          )
      ]
      for (const [i, place] of places.entries()) {
        const collector = new Collector()
        yield* Effect.provide(place(collector), collector.layer)
        assert.deepStrictEqual(found(collector.text), ["key"], `place ${i}`)
      }
    })
  )
})
