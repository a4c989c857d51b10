/**
 * Counts unknown statuses, error codes and HTTP/2 codes. They are harmless, for all of them have a type and count as
 * perhaps processed; but they deserve a look. Each kind is logged once.
 */
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import { Exported } from "../otel/exported.ts"
import * as Series from "../otel/series.ts"
import type { Oddity } from "../wire/errors.ts"

export const unclassifiedKey = Series.counter(
  "clientele.unclassified",
  "{answer}",
  "Unknown statuses, error codes and HTTP/2 codes"
)

/** A client's provider and its address. */
interface Endpoint {
  readonly provider: string
  readonly baseURL: string
}

export interface Unclassified {
  readonly note: (place: Endpoint, oddity: Oddity) => void
  readonly count: () => number
}

/** More kinds are counted, and not logged. */
const mostKinds = 100

const what: Readonly<Record<Oddity["kind"], string>> = {
  status: "status",
  error: "error code",
  http2: "HTTP/2 code"
}

/** A count of its own, with the logger that is in force where this effect is run. */
export const make: Effect.Effect<Unclassified> = Effect.zipWith(Effect.runtime(), Exported, (runtime, isExported) => {
  const told = new Set<string>()
  let count = 0
  return {
    note: (place, { kind, value }) => {
      count++
      Series.open(unclassifiedKey, [["kind", kind]], isExported).update(1)
      const name = `${kind} ${value}`
      if (told.has(name) || told.size >= mostKinds) return
      told.add(name)
      // Error codes of others may be long, or unfit for a log.
      const shown = JSON.stringify(value.slice(0, 60))
      const line = `${place.provider} (${place.baseURL}): unknown ${what[kind]} ${shown}, treated as "maybe processed"`
      Runtime.runFork(runtime)(Effect.annotateLogs(Effect.logWarning(line), { provider: place.provider, kind }))
    },
    count: () => count
  }
})
