import fc from "fast-check"
import { inject } from "vitest"

const LOGS_WARNINGS = Symbol.for("clientele/test/logsWarnings")

declare module "vitest" {
  interface ProvidedContext {
    readonly seed: number
  }
}

// One seed for every property of a run, which the reporter prints so that a failure can be replayed: SEED=123 npm test.
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: inject("seed") })

// Warnings are logs of the test that runs, shown if it fails; Node itself prints none (`--no-warnings`). Files that share
// a process share the listener.
const logWarning = ({ message, name }: Error): void => console.warn(`${name}: ${message}`)
const registry = globalThis as { [LOGS_WARNINGS]?: boolean }
if (registry[LOGS_WARNINGS] !== true) process.on("warning", logWarning)
registry[LOGS_WARNINGS] = true
