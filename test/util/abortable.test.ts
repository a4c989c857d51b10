import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { abortable } from "../../src/internal/util/abortable.ts"

/** Steps that never end, and what was called of them. */
const endless = () => {
  const events: Array<string> = []
  const step = abortable<never, never>(() => {
    events.push("begun")
    return () => {
      events.push("aborted")
      return Effect.sync(() => void events.push("cleaned"))
    }
  })
  return { events, step }
}

const diesAborted = () => Effect.die("aborted")

const ended = (result: Effect.Effect<string, string>) =>
  abortable<string, string>((resume) => {
    resume(result)
    return diesAborted
  })

describe("an abortable step", () => {
  it.live("is aborted by interruption, which waits for its cleaning", () =>
    Effect.gen(function* () {
      const { events, step } = endless()
      const fiber = yield* Effect.fork(step)
      yield* Effect.sleep(1)
      assert.deepStrictEqual(events, ["begun"])
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      assert.deepStrictEqual(events, ["begun", "aborted", "cleaned"])
    })
  )

  it.live("is not interrupted where its fiber is not", () =>
    Effect.gen(function* () {
      let resume: ((result: Effect.Effect<string>) => void) | undefined
      const step = abortable<string, never>((given) => {
        resume = given
        return diesAborted
      })
      let result: string | undefined
      const fiber = yield* Effect.fork(
        Effect.uninterruptible(Effect.tap(step, (value) => Effect.sync(() => (result = value))))
      )
      yield* Effect.sleep(1)
      const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* Effect.sleep(1)
      resume!(Effect.succeed("done"))
      yield* Fiber.join(interrupting)
      assert.strictEqual(result, "done")
    })
  )

  it.live("is not aborted once it has ended, well or not", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* ended(Effect.succeed("done")), "done")
      assert.deepStrictEqual(yield* Effect.exit(ended(Effect.fail("failed"))), Exit.fail("failed"))
    })
  )

  it.live("runs the effect that it is resumed with in its place, where nothing was begun", () =>
    Effect.gen(function* () {
      const { events, step } = endless()
      const fiber = yield* Effect.fork(
        abortable<never, never>((resume) => {
          resume(step)
          return undefined
        })
      )
      yield* Effect.sleep(1)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(events, ["begun", "aborted", "cleaned"])
    })
  )

  it.live("dies of what its beginning throws", () =>
    Effect.gen(function* () {
      const error = new Error("begun wrongly")
      const exit = yield* Effect.exit(
        abortable<never, never>(() => {
          throw error
        })
      )
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) === error)
    })
  )
})
