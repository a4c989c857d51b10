import fc from "fast-check"
import { inject } from "vitest"

declare module "vitest" {
  interface ProvidedContext {
    readonly seed: number
  }
}

// One seed for every property of a run, which the reporter prints so that a failure can be replayed: SEED=123 npm test.
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: inject("seed") })

// Warnings are logs of the test that runs, shown if it fails; Node itself prints none (`--no-warnings`).
process.on("warning", ({ message, name }) => console.warn(`${name}: ${message}`))
