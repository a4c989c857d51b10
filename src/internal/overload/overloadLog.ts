/** Logs and counts what the policy of overload does to many requests at once: circuits, and budgets that are used up. */
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import { oneLine } from "../redaction/escapeControl.ts"
import type { BudgetUsedUp, CircuitChange } from "./health.ts"
import { Exported } from "../otel/exported.ts"
import * as Series from "../otel/series.ts"

export const circuitsKey = Series.counter(
  "clientele.circuits",
  "{change}",
  "Circuits that opened or closed; an open one holds requests back"
)

const ofCircuit = ({ failures, isOpen, of, probeIn, why }: CircuitChange): Effect.Effect<void> =>
  isOpen
    ? Effect.logWarning(
        `${of}: circuit opened after ${failures} failures without a response in between; first probe in ` +
          `${(probeIn / 1_000).toFixed(1)} s. Last failure: ${oneLine(why)}`
      )
    : Effect.logInfo(`${of}: circuit closed`)

const ofBudget = ({ of, retriesPerSecond, waiting }: BudgetUsedUp): Effect.Effect<void> =>
  Effect.logWarning(
    `${of}: retry budget used up: more requests fail than responses pay for. Without responses ${retriesPerSecond} retries a second are ` +
      `sent (quota.retriesPerSecond); ${waiting} wait`
  )

export interface OverloadLog {
  readonly onCircuit: (change: CircuitChange) => void
  readonly onBudget: (usedUp: BudgetUsedUp) => void
}

/** Plain functions that log through the logger that is in force where this effect is run. */
export const make: Effect.Effect<OverloadLog> = Effect.zipWith(Effect.runtime(), Exported, (runtime, isExported) => ({
  onCircuit: (change) => {
    Series.open(circuitsKey, [["state", change.isOpen ? "open" : "closed"]], isExported).update(1)
    Runtime.runFork(runtime)(ofCircuit(change))
  },
  onBudget: (usedUp) => void Runtime.runFork(runtime)(ofBudget(usedUp))
}))
