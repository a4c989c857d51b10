/** CPU of a chat request by the number of agents at once, against the SDK alone with as many. */
import { type Bench, type Figure, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Work } from "./cpuWorker.ts"
import { type Server, withServer } from "./server.ts"

const AT_ONCE: ReadonlyArray<number> = [1, 10, 100, 1_000, 10_000]
const SOCKETS = 64
/** Each variant runs at least so many agents, and each place at least twice. */
const AGENTS = 5_000

const work = (variant: Work["variant"], atOnce: number, { baseURL, ca }: Server) => {
  const agents = Math.max(AGENTS, 2 * atOnce)
  const target = { baseURLs: [baseURL], keys: 1, ca, maxConnections: SOCKETS }
  return () => measure<Work, number>("cpuWorker.ts", { variant, target, atOnce, warmUp: agents, agents })
}

const us = (costs: ReadonlyArray<number>): string => `${round(median(costs), 0)} us`

export const inFlight: Bench = {
  name: "in-flight",
  about: `CPU of a chat request with ${AT_ONCE.join(", ")} agents at once, ${SOCKETS} sockets`,
  run: ({ runs }) =>
    withServer(["--protocol", "http/1.1"], async (server) => {
      const all: Array<Figure> = []
      for (const atOnce of AT_ONCE) {
        const results = await interleaved(
          {
            clientele: work("clientele", atOnce, server),
            openai: work("default fetch", atOnce, server)
          },
          runs
        )
        const { clientele, openai } = results
        const relative = ratios(clientele, openai)
        all.push({
          what: `${atOnce} at once: clientele / openai, default fetch`,
          value: median(relative),
          unit: "x",
          atMost: 0.6,
          note: `${us(clientele)}, ${us(openai)}; runs ${spread(relative, 2)}`
        })
      }
      return all
    })
}
