/** Runs agents by the thousand and weighs the heap on the way. Needs --expose-gc. */
import { setTimeout } from "node:timers/promises"
import * as Effect from "effect/Effect"
import * as ClientLayer from "clientele/ClientLayer"
import { configs, crowd, type Target } from "./agents.ts"
import { input, report } from "./child.ts"

export interface Work {
  readonly target: Target
  readonly atOnce: number
  readonly few: number
  readonly many: number
}

/** In MB. */
export interface Heaps {
  readonly few: number
  readonly many: number
}

const { atOnce, few, many, target } = input<Work>()

/** Twice with a pause: finalization registries and closed handles let go of things only between turns of the loop. */
const weigh = Effect.promise(async () => {
  for (let i = 0; i < 2; i++) {
    await setTimeout(100)
    globalThis.gc?.()
  }
  return process.memoryUsage().heapUsed / 2 ** 20
})

const heaps = await Effect.gen(function* () {
  const all = yield* configs(target)
  yield* crowd(all, few, atOnce)
  const afterFew = yield* weigh
  yield* crowd(all, many - few, atOnce)
  return { few: afterFew, many: yield* weigh }
}).pipe(Effect.provide(ClientLayer.layer()), Effect.runPromise)

report(heaps satisfies Heaps)
