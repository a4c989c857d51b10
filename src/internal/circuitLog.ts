/** Tells of circuits that open and close: a line in the log, and a count. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as MetricKey from "effect/MetricKey"
import * as Runtime from "effect/Runtime"
import { oneLine } from "./oneLine.ts"
import type { CircuitChange } from "./transport/health.ts"

export const circuitsKey = MetricKey.counter("clientele.circuits", {
  description: "Changes of circuits, which hold requests back while they fail one after another",
  incremental: true
})

const counterOf = (state: "open" | "closed") =>
  Metric.globalMetricRegistry.get(MetricKey.tagged(circuitsKey, "state", state))

const log = ({ cooldown, failures, isOpen, of, why }: CircuitChange): Effect.Effect<void> =>
  isOpen
    ? Effect.logWarning(
        `${of}: ${failures} requests in a row failed, so no more are sent. After ${cooldown / 1_000} s one goes to see ` +
          `whether that has changed. The last failure: ${oneLine(why)}`
      )
    : Effect.logInfo(`${of}: a request was answered, so requests are sent again`)

/** A plain function that tells the logger that is in force where this effect is run. */
export const teller: Effect.Effect<(change: CircuitChange) => void> = Effect.map(
  Effect.runtime(),
  (runtime) => (change) => {
    counterOf(change.isOpen ? "open" : "closed").update(1)
    Runtime.runFork(runtime)(log(change))
  }
)
