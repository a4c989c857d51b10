/**
 * Finalizers of a stream, handed on as an argument: a `Scope` in the context of its fiber takes 4 KB of each stream that
 * waits.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

/** Never fails. */
type Finalizer = (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown>

export class Finalizers {
  #run: Finalizer | undefined

  /** To be called before what it cleans up after has begun. */
  add(finalizer: Finalizer): void {
    const before = this.#run
    this.#run =
      before === undefined
        ? finalizer
        : (exit) =>
            Effect.ensuring(
              finalizer(exit),
              Effect.suspend(() => before(exit))
            )
  }

  /** Runs all, the latest first. */
  run(exit: Exit.Exit<unknown, unknown>): Effect.Effect<unknown> {
    return this.#run?.(exit) ?? Effect.void
  }

  /** Runs `effect` in a scope that closes with these. */
  extend<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Scope.Scope>> {
    return Effect.flatMap(Scope.make(), (scope) => {
      this.add((exit) => Scope.close(scope, exit))
      return Scope.extend(effect, scope)
    })
  }
}
