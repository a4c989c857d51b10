/** Heap left behind by agents that have finished. */
import { type Bench, type Figure, interleaved, median, round, spread } from "./bench.ts"
import { measure } from "./child.ts"
import type { Heaps, Work } from "./heapWorker.ts"
import { type Server, withServer } from "./server.ts"

const FEW = 10_000
const MANY = 100_000
const AT_ONCE = 2_000

const work = (server: Server) =>
  measure<Work, Heaps>(
    "heapWorker.ts",
    { target: { baseURLs: [server.baseURL], keys: 10, ca: server.ca }, atOnce: AT_ONCE, few: FEW, many: MANY },
    { nodeArgs: ["--expose-gc"] }
  )

const figure = (what: string, results: ReadonlyArray<Heaps>): Figure => {
  const growth = results.map(({ few, many }) => many - few)
  const after = (name: keyof Heaps) => `${round(median(results.map((heaps) => heaps[name])), 1)} MB`
  return {
    what: `${what}: heap after ${MANY} agents, less that after ${FEW}`,
    value: median(growth),
    unit: "MB",
    atMost: 5,
    note: `${after("few")}, ${after("many")}; runs ${spread(growth, 2)}`
  }
}

export const heap: Bench = {
  name: "heap",
  about: `heap after ${FEW} and after ${MANY} finished agents, ${AT_ONCE} at once, garbage collected`,
  run: ({ runs }) =>
    withServer(["--protocol", "http/1.1"], (h1) =>
      withServer(["--protocol", "h2", "--tls"], async (h2) => {
        // Both at once: a heap does not depend on who else has the CPU.
        const both = async () => {
          const [one, two] = await Promise.all([work(h1), work(h2)])
          return { h1: one, h2: two }
        }
        const { both: results } = await interleaved({ both }, runs)
        return [
          figure(
            "HTTP/1.1",
            results.map(({ h1 }) => h1)
          ),
          figure(
            "HTTP/2",
            results.map(({ h2 }) => h2)
          )
        ]
      })
    )
}
