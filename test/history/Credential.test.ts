/** A credential under everything that can happen to it, with loads and waiters that go in any order: the histories hold. */
import { setImmediate as turn } from "node:timers/promises"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as Credential from "../../src/Credential.ts"
import { open } from "../support/credentials.ts"
import { schedulerOf } from "../support/scheduler.ts"
import { checkCredential } from "./checkCredential.ts"
import { anything, play, setups } from "./credentialRun.ts"
import { mustHold } from "./history.ts"
import { parameters, patience } from "./runs.ts"

describe("histories of Credential", () => {
  it(
    "one load serves all waiters, and no use gets an expired, outdated or refused token",
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), setups, anything, async (tasks, setup, all) => {
          const history = await play(tasks, setup, all)
          mustHold(checkCredential(history), history)
        }),
        parameters()
      )
    },
    patience
  )

  it("a token refused for the first waiter is not given to the others", async () => {
    const tasks: Array<() => void> = []
    const load = Effect.suspend(() => Effect.as(Effect.yieldNow(), Redacted.make(`token-${++loads}`)))
    let loads = 0
    const source = Effect.runSync(
      Effect.withScheduler(
        open(Credential.make({ id: "vault", load })),
        schedulerOf((task) => tasks.push(task))
      )
    )
    const got: Array<string> = []
    for (let i = 0; i < 3; i++) {
      void source.load(undefined).then((secret) => {
        got.push(Redacted.value(secret))
        if (got.length === 1) source.refused(secret)
      })
    }
    // One turn of one fiber at a time: a waking fiber has recorded it before the next one wakes.
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
      task()
      await turn()
    }
    assert.deepStrictEqual(got, ["token-1", "token-2", "token-2"])
  })
})
