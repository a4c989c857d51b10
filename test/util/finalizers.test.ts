/** Finalizers of a stream, without a scope in the context of its fiber. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Finalizers } from "../../src/internal/util/finalizers.ts"

describe("finalizers of a stream", () => {
  it.effect("run once each with its exit, the latest first, those of scopes in their place", () =>
    Effect.gen(function* () {
      const ran: Array<unknown> = []
      const finalizers = new Finalizers()
      const note = (name: string) => (exit: Exit.Exit<unknown, unknown>) =>
        Effect.sync(() => ran.push([name, exit._tag]))
      finalizers.add(note("first"))
      const acquired = Effect.acquireRelease(Effect.succeed(1), (_, exit) => note("scoped")(exit))
      assert.strictEqual(yield* finalizers.extend(acquired), 1)
      finalizers.add(note("last"))
      assert.deepStrictEqual(ran, [])
      yield* finalizers.run(Exit.fail("why"))
      assert.deepStrictEqual(ran, [
        ["last", "Failure"],
        ["scoped", "Failure"],
        ["first", "Failure"]
      ])
    })
  )

  it.effect("run although a later one died", () =>
    Effect.gen(function* () {
      let isRun = false
      const finalizers = new Finalizers()
      finalizers.add(() => Effect.sync(() => (isRun = true)))
      finalizers.add(() => Effect.dieMessage("broken"))
      yield* Effect.exit(finalizers.run(Exit.void))
      assert.isTrue(isRun)
    })
  )

  it.effect("are none where none were added", () => Effect.asVoid(new Finalizers().run(Exit.void)))
})
