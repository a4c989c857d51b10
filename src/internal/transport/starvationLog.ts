import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type { Starved } from "./options.ts"

const remedy = {
  maxConnections: "raise `transport.maxConnections`, or start fewer agents at once",
  maxSockets:
    "raise `maxSockets` of the client layer (and `ulimit -n` with it: by default half of that is for all layers of the " +
    "process), or start fewer agents at once"
} as const

const message = ({ bound, limit, origin, queued, waited }: Starved): string =>
  `${origin}: ${queued} requests have waited up to ${(waited / 1000).toFixed(1)} s for a socket, and all that ` +
  `${bound} = ${limit} allows are busy. They will be sent; if that is too slow, ${remedy[bound]}`

/** A plain function that warns through the logger that is in force where this effect is run. */
export const warner: Effect.Effect<(starvation: Starved) => void> = Effect.map(
  Effect.runtime(),
  (runtime) => (starved) => void Runtime.runFork(runtime)(Effect.logWarning(message(starved)))
)
