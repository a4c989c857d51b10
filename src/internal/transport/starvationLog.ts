import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type { Starved } from "./options.ts"

const remedy = {
  maxConnections: "raise `transport.maxConnections`, or start fewer agents at once",
  maxSockets:
    "raise `maxSockets` of the client layer (and `ulimit -n` with it: by default half of that is for all layers of the " +
    "process), or start fewer agents at once",
  process: "raise `ulimit -n`, or `maxSockets` of the client layer, or start fewer agents at once"
} as const

const busy = (bound: Starved["bound"], limit: number): string =>
  bound === "process"
    ? `the process may open no more: this client layer has ${limit}, and they are busy`
    : `all that ${bound} = ${limit} allows are busy`

const message = ({ bound, limit, origin, queued, waited }: Starved): string =>
  `${origin}: ${queued} requests have waited up to ${(waited / 1000).toFixed(1)} s for a socket, and ` +
  `${busy(bound, limit)}. They will be sent; if that is too slow, ${remedy[bound]}`

/** A plain function that warns through the logger that is in force where this effect is run. */
export const warner: Effect.Effect<(starvation: Starved) => void> = Effect.map(
  Effect.runtime(),
  (runtime) => (starved) => void Runtime.runFork(runtime)(Effect.logWarning(message(starved)))
)
