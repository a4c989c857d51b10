/** Heap left behind by clients that are no longer used, and by getting clients that exist already. */
import { type Bench, interleaved, median, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Heaps, Work } from "./promiseHeapWorker.ts"
import { type Server, withServer } from "./server.ts"

const CALLS = { few: 10_000, many: 1_000_000 }
/** The first ones load and compile what all of them use. */
const TENANTS = { few: 500, many: 10_500 }

const work = (variant: Work["variant"], { baseURL, ca }: Server) => {
  const size = variant === "again" ? CALLS : TENANTS
  return measure<Work, Heaps>("promiseHeapWorker.ts", { baseURL, ca, variant, ...size }, { nodeArgs: ["--expose-gc"] })
}

const weights = (results: ReadonlyArray<Heaps>): string => {
  const after = (name: keyof Heaps) => `${round(median(results.map((heaps) => heaps[name])), 1)} MB`
  return `${after("few")}, ${after("many")}`
}

export const promiseHeap: Bench = {
  name: "promise-heap",
  about: `heap after ${CALLS.few} and ${CALLS.many} calls of getOpenAIClient over 10 configurations, and before and after ${TENANTS.many - TENANTS.few} used once each; garbage collected`,
  run: ({ runs }) =>
    withServer(["--protocol", "http/1.1", "--log-size", "0"], async (server) => {
      // Both at once: a heap does not depend on who else has the CPU.
      const both = async () => {
        const [again, once] = await Promise.all([work("again", server), work("once", server)])
        return { again, once }
      }
      const { both: results } = await interleaved({ both }, runs)
      const again = results.map((result) => result.again)
      const once = results.map((result) => result.once)
      const growth = again.map(({ few, many }) => many - few)
      const share = once.map(({ few, many }) => many / few)
      return [
        {
          what: `heap after ${CALLS.many} calls, less that after ${CALLS.few}`,
          value: median(growth),
          unit: "MB",
          atMost: 2,
          note: `${weights(again)}; runs ${spread(growth, 2)}`
        },
        {
          what: `heap two idle times after ${TENANTS.many - TENANTS.few} one-off configurations / before`,
          value: median(share),
          unit: "x",
          atMost: 1.1,
          note: `${weights(once)}; runs ${spread(share, 2)}`
        }
      ]
    })
}
