import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { assert, describe, it } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import type { ClientMap } from "../../src/ClientMap.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { subjects as providers } from "../support/providers.ts"
import { ask, type Client, hello, rejection } from "./doors.ts"

const run = <A, E>(effect: Effect.Effect<A, E, ClientMap | Scope.Scope>) =>
  Effect.runPromise(effect.pipe(Effect.provide(ClientLayer.layer()), Effect.scoped))

describe.concurrent.each(providers)("a request through the Effect module of $name", (provider) => {
  it("has its own timeout and number of retries too", () => {
    return run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 2_000 })
        const config = yield* provider.config(sandbox, { timeout: "1 minute", maxRetries: 0 })
        const options: object = { timeout: 40, maxRetries: 1 }
        const error = yield* Effect.flip(
          provider.use(config, (client) => client.chat.completions.create(hello, options))
        )
        assert.deepInclude(error, { reason: "Timeout", attempts: 2 })
      })
    )
  })

  it("has those of withOptions, and the client reads as it was set", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [{ times: 100, fault: { type: "status", status: 500 } }] })
        const config = yield* provider.config(sandbox, { timeout: "1 minute", maxRetries: 0 })
        const client = (yield* provider.get(config)) as unknown as Client
        assert.deepInclude(client, { timeout: 60_000, maxRetries: 0, apiKey: "held-by-clientele" })
        const other = client.withOptions?.({ maxRetries: 2 })
        // Cerebras has none.
        if (other === undefined) return
        assert.strictEqual(other.constructor, client.constructor)
        yield* Effect.promise(() => rejection(ask(other)))
        assert.strictEqual(sandbox.stats().requests, 3)
        yield* Effect.promise(() => rejection(ask(client)))
        assert.strictEqual(sandbox.stats().requests, 4)
      })
    ))
})
