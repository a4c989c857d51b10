/** The cost of cancelling requests that wait for a socket, beside that of as many fibers that wait for a Deferred. */
import { type Bench, median, round } from "./bench.ts"
import type { Outcome, Work } from "./cancelsWorker.ts"
import { measure } from "./measure.ts"

const WAITING = 100_000

export const cancels: Bench = {
  name: "cancels",
  about: `${WAITING} fibers interrupted that wait in the queue of a pool, or for a Deferred each, in processes of their own`,
  run: async ({ quick }) => {
    const runs = async (variant: Work["variant"]): Promise<number> => {
      const all: Array<number> = []
      for (let i = 0; i < (quick ? 1 : 5); i++) {
        all.push((await measure<Work, Outcome>("cancelsWorker.ts", { variant, waiting: WAITING })).cpu)
      }
      return median(all)
    }
    const deferred = await runs("deferred")
    const queued = await runs("queued")
    return [
      {
        what: "CPU of cancelling queued requests, beside fibers that wait for a Deferred",
        value: queued / deferred,
        unit: "x",
        atMost: 2,
        note: `${round(queued, 0)} ms and ${round(deferred, 0)} ms`
      }
    ]
  }
}
