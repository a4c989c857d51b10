/** Heap left behind by agents that have finished. */
import { type Bench, type Figure, interleaved, median, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Heaps, Work } from "./heapWorker.ts"
import { type Server, withServer } from "./server.ts"

/** Agents after which the heap is weighed, the first time and the last. */
interface Crowd {
  readonly few: number
  readonly many: number
}

const CROWD: Crowd = { few: 10_000, many: 100_000 }
const MILLION: Crowd = { few: 100_000, many: 1_000_000 }
const AT_ONCE = 2_000

const work = ({ few, many }: Crowd, { baseURL, ca }: Server) =>
  measure<Work, Heaps>(
    "heapWorker.ts",
    { target: { baseURLs: [baseURL], keys: 10, ca }, atOnce: AT_ONCE, few, many },
    { nodeArgs: ["--expose-gc"] }
  )

const figure = (what: string, { few, many }: Crowd, results: ReadonlyArray<Heaps>): Figure => {
  const growth = results.map(({ few, many }) => many - few)
  const after = (name: keyof Heaps) => `${round(median(results.map((heaps) => heaps[name])), 1)} MB`
  return {
    what: `${what}: heap after ${many} agents, less that after ${few}`,
    value: median(growth),
    unit: "MB",
    atMost: 5,
    note: `${after("few")}, ${after("many")}; runs ${spread(growth, 2)}`
  }
}

const of = (crowd: Crowd, bench: Pick<Bench, "name" | "isLong">): Bench => ({
  ...bench,
  about: `heap after ${crowd.few} and after ${crowd.many} finished agents, ${AT_ONCE} at once, garbage collected`,
  run: ({ runs }) =>
    withServer(["--protocol", "http/1.1"], (h1) =>
      withServer(["--protocol", "h2", "--tls"], async (h2) => {
        // Both at once: a heap does not depend on who else has the CPU.
        const both = async () => {
          const [one, two] = await Promise.all([work(crowd, h1), work(crowd, h2)])
          return { h1: one, h2: two }
        }
        const { both: results } = await interleaved({ both }, bench.isLong === true ? 1 : runs)
        const heaps = (road: "h1" | "h2") => results.map((result) => result[road])
        return [figure("HTTP/1.1", crowd, heaps("h1")), figure("HTTP/2", crowd, heaps("h2"))]
      })
    )
})

export const heap = of(CROWD, { name: "heap" })

/** Ten minutes. */
export const heapMillion = of(MILLION, { name: "heap-million", isLong: true })
