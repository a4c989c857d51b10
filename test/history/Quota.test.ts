/** Quota under everything that can happen to it, with answers, timers and a shared budget in any order: the histories hold. */
import fc from "fast-check"
import { describe, it } from "vitest"
import { checkBudget } from "./checkBudget.ts"
import { checkTurns } from "./checkTurns.ts"
import { mustHold } from "./history.ts"
import { anything, play, setups } from "./quotaRun.ts"
import { parameters, patience } from "./runs.ts"

describe("histories of Quota", () => {
  it(
    "permits stay within every limit, reservations are settled or refunded, and all get their turn",
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), setups, anything, async (tasks, setup, all) => {
          const history = await play(tasks, setup, all)
          mustHold([...checkBudget(history), ...checkTurns(history)], history)
        }),
        parameters()
      )
    },
    patience
  )
})
