/** Answers of agents out of the cache, and into it. */
import * as Effect from "effect/Effect"
import type { CacheStore } from "../journal/model.ts"
import type { Usage } from "../result.ts"
import type { BatchSettings } from "../options.ts"
import { canonical, hashOf, idOf } from "../rows/rowIdentity.ts"
import type { Task } from "../task.ts"

interface CachedAnswer {
  readonly value: unknown
  readonly usage: Usage
  readonly model?: string
}

const parse = (line: string | undefined): CachedAnswer | undefined => {
  try {
    return line === undefined ? undefined : (JSON.parse(line) as CachedAnswer)
  } catch {
    return undefined
  }
}

const lineOf = (task: Task, value: unknown): string | undefined => {
  try {
    return JSON.stringify({ value: value ?? null, usage: task.usage, model: task.model })
  } catch {
    // JSON can't hold it, so it is asked for again.
    return undefined
  }
}

export class CachedAnswers {
  readonly #store: CacheStore
  readonly #requestOf: (row: unknown) => string | undefined

  constructor(store: CacheStore, { identity, prompt }: Pick<BatchSettings, "identity" | "prompt">) {
    this.#store = store
    const agent = canonical(identity)
    this.#requestOf = prompt?.request ?? ((row) => `${agent}\n${canonical(row)}`)
  }

  /** The answer to this row's request, or that of `run`, which is then kept. */
  around<E, R>(task: Task, run: Effect.Effect<unknown, E, R>): Effect.Effect<unknown, E, R> {
    const key = this.#keyOf(task)
    if (key === undefined) return run
    // A cache that can't be read is no reason to fail a row.
    const found = Effect.orElseSucceed(this.#store.get(key), () => undefined)
    return Effect.flatMap(found, (line): Effect.Effect<unknown, E, R> => {
      const answer = parse(line)
      if (answer !== undefined) {
        task.cached = true
        task.usage = answer.usage
        task.model = answer.model
        return Effect.succeed(answer.value)
      }
      return Effect.tap(run, (value) =>
        Effect.sync(() => {
          const line = lineOf(task, value)
          if (line !== undefined) this.#store.put(key, line)
        })
      )
    })
  }

  #keyOf({ repeat, row }: Task): string | undefined {
    try {
      const request = this.#requestOf(row)
      return request === undefined ? undefined : idOf(hashOf(`${repeat}\n${request}`))
    } catch {
      return undefined
    }
  }
}
