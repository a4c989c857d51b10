import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { setTimeout as delay } from "node:timers/promises"
import * as LeaseMap from "../../src/LeaseMap.ts"

/** Values built and released, in order, as `key#n`: the n-th build of that key. */
export class Ledger {
  readonly built: Array<string> = []
  readonly released: Array<string> = []
  private readonly counts = new Map<string, number>()

  next(key: string): string {
    const n = (this.counts.get(key) ?? 0) + 1
    this.counts.set(key, n)
    return `${key}#${n}`
  }
  readonly lookup = (key: string): Effect.Effect<string, never, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const name = this.next(key)
        this.built.push(name)
        return name
      }),
      (name) => Effect.sync(() => this.released.push(name))
    )
}

export type MapOptions<E> = Partial<LeaseMap.Options<string, string, E, Scope.Scope>>

export const ledgerMap = (options: MapOptions<never> = {}) =>
  Effect.gen(function* () {
    const ledger = new Ledger()
    const map = yield* LeaseMap.make({ lookup: ledger.lookup, ...options })
    return { ledger, map }
  })

/** A lease that ends when `end` runs. */
export const lease = <K, A, E>(map: LeaseMap.LeaseMap<K, A, E>, key: K) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const value = yield* LeaseMap.get(map, key).pipe(Scope.extend(scope))
    return { value, end: Scope.close(scope, Exit.void) }
  })

/** Lets all that is ready run. */
export const settle = Effect.promise(() => delay(1))

/** A map in a scope of its own. */
export const closeable = <K, A, E>(options: LeaseMap.Options<K, A, E, Scope.Scope>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const map = yield* LeaseMap.make(options).pipe(Scope.extend(scope))
    return { map, close: Scope.close(scope, Exit.void) }
  })

/** `p` synchronous operations, so that the automatic yield after 2,048 of them lands anywhere in what follows. */
export const steps = (p: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    let i = 0
    return Effect.whileLoop({ while: () => i < p, body: () => Effect.void, step: () => void i++ })
  })

export const range = (from: number, to: number, step = 1): Array<number> =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step)

export const handleMap = (options: MapOptions<never> = {}) =>
  Effect.gen(function* () {
    const ledger = new Ledger()
    const handles: Array<LeaseMap.Handle> = []
    const map = yield* LeaseMap.make({
      ...options,
      lookup: (key: string, self) =>
        Effect.zipRight(
          Effect.sync(() => handles.push(self)),
          ledger.lookup(key)
        )
    })
    yield* LeaseMap.use(map, "k", () => Effect.sync(() => handles[0]?.retain()))
    const [handle] = handles
    if (handle === undefined) return yield* Effect.dieMessage("no handle")
    return { handle, ledger, map }
  })
