/** A run as a stream: opens what it needs, starts the engine, and ends it with the stream. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { ClientMap, type Stats } from "../../ClientMap.ts"
import { Engine } from "./engine.ts"
import type { BatchError } from "./errors.ts"
import type { JournalStore } from "./journal/model.ts"
import type { Result } from "./result.ts"
import { type AnyOptions, read, type BatchSettings } from "./options.ts"
import { hashOfId } from "./rows/rowIdentity.ts"
import { RowIndex } from "./rows/rowIndex.ts"
import * as RowSource from "./rows/rowSource.ts"
import { fromPull } from "../util/pullStream.ts"

interface Known {
  readonly store: JournalStore | undefined
  readonly index: RowIndex | undefined
  readonly earlierCost: number
  /** `earlierCost`, with rows of unknown cost at their bounds. */
  readonly earlierMost: number
  readonly damaged: number
}

const opened = (
  { journal }: AnyOptions,
  { identity, keyOf }: BatchSettings
): Effect.Effect<Known, BatchError, Scope.Scope> =>
  Effect.gen(function* () {
    const isKeyed = keyOf !== undefined
    if (journal === undefined) {
      const index = isKeyed ? new RowIndex(true) : undefined
      return { store: undefined, index, earlierCost: 0, earlierMost: 0, damaged: 0 }
    }
    const store = yield* journal.open(identity)
    const index = new RowIndex(isKeyed)
    let earlierCost = 0
    let earlierMost = 0
    const damaged = yield* store.scan(({ cost, failed, id, most }, position) => {
      index.record(hashOfId(id), failed, position)
      earlierCost += cost ?? 0
      earlierMost += cost ?? most ?? 0
    })
    return { store, index, earlierCost, earlierMost, damaged }
  })

/** Reads the counts of the run's client map, if it has one. Another layer's map may not be ready, and is then left out. */
const statsIn = (context: Context.Context<unknown>): (() => Stats | undefined) => {
  const map = Context.getOption(context as Context.Context<ClientMap>, ClientMap)
  if (map._tag === "None") return () => undefined
  return () => {
    const exit = Effect.runSyncExit(map.value.stats)
    return Exit.isSuccess(exit) ? exit.value : undefined
  }
}

const started = (options: AnyOptions) =>
  Effect.gen(function* () {
    const settings = yield* read(options)
    const known = yield* opened(options, settings)
    const cache = options.cache === undefined ? undefined : yield* options.cache.open
    const runtime = yield* Effect.runtime<unknown>()
    const engine = new Engine<unknown>({
      ...known,
      settings,
      agent: options.agent,
      runtime,
      cache,
      stats: statsIn(runtime.context)
    })
    yield* Effect.addFinalizer(() => engine.close)
    const source = yield* RowSource.make(options.rows as Stream.Stream<unknown, unknown, unknown>)
    yield* Effect.forkScoped(engine.read(source))
    if (options.drainWhen !== undefined) {
      yield* Effect.forkScoped(
        Effect.zipRight(
          Effect.exit(options.drainWhen),
          Effect.sync(() => engine.stop())
        )
      )
    }
    engine.start()
    return engine.output.take
  })

export const run = (options: AnyOptions): Stream.Stream<Result<unknown, unknown>, unknown, unknown> =>
  Stream.unwrapScoped(Effect.map(started(options), (take) => fromPull(take)))
