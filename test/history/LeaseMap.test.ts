/** LeaseMap under everything that can happen to it, with fibers that go in any order: the histories hold. */
import fc from "fast-check"
import { describe, it } from "vitest"
import { checkValues } from "./checkValues.ts"
import { checkWaits } from "./checkWaits.ts"
import { mustHold } from "./history.ts"
import { commands, play, setups } from "./leaseRun.ts"
import { ours } from "./leaseSubjects.ts"
import { parameters, patience } from "./runs.ts"

const anything = commands([
  ...(["get", "get", "get", "get", "end", "end", "end", "pass", "pass"] as const),
  ...(["interrupt", "leave", "invalidate", "retain", "quiet", "close"] as const)
])

describe("histories of LeaseMap", () => {
  it(
    "one value lives a key, is released once and never while leased, and nobody waits for nothing",
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), setups, anything, async (tasks, setup, all) => {
          const history = await play(ours, tasks, setup, all)
          mustHold([...checkValues(history, setup), ...checkWaits(history, setup)], history)
        }),
        parameters()
      )
    },
    patience
  )
})
