/** LeaseMap under everything that can happen to it, with fibers that go in any order: the histories hold. */
import fc from "fast-check"
import { describe, it } from "vitest"
import { checkValues } from "./checkValues.ts"
import { checkWaits } from "./checkWaits.ts"
import { mustHold } from "./history.ts"
import { commands, play, setups } from "./leaseRun.ts"
import { ours } from "./leaseSubjects.ts"
import { parameters, patience } from "./runs.ts"

// The end of each run closes the map, so it is seldom closed before.
const anything = commands({
  get: 8,
  use: 4,
  end: 9,
  pass: 5,
  invalidate: 4,
  interrupt: 3,
  retain: 3,
  quiet: 3,
  leave: 2,
  close: 1
})

describe("histories of LeaseMap", () => {
  it(
    "one value lives a key, is released once and never while leased, and no waiter is forgotten",
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
