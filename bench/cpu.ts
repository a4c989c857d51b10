/** CPU of a chat request, agent and all, against the SDK alone and against what no SDK can go below. */
import { type Bench, type Figure, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Work } from "./cpuWorker.ts"
import { currentLine } from "./line.ts"
import { type Server, withServer } from "./server.ts"

const AT_ONCE = 2_000
const WARM_UP = 6_000
const AGENTS = 10_000
/** Most sockets of clientele and of the floor alike; the SDK's default fetch has no bound. */
const SOCKETS = 64
const work = (variant: Work["variant"], server: Server) => () =>
  measure<Work, number>("cpuWorker.ts", {
    variant,
    target: { baseURLs: [server.baseURL], keys: 1, ca: server.ca, maxConnections: SOCKETS },
    atOnce: AT_ONCE,
    warmUp: WARM_UP,
    agents: AGENTS
  })

export const cpu: Bench = {
  name: "cpu",
  about: `CPU of a chat request: ${AT_ONCE} agents at once, ${AGENTS} a run after ${WARM_UP} to warm up, ${SOCKETS} sockets where there is a bound`,
  run: ({ runs }) =>
    withServer(["--protocol", "http/1.1"], (h1) =>
      withServer(["--protocol", "h2", "--tls", "--max-streams", "1000"], async (h2) => {
        const base = "default fetch"
        const floor = "thin fetch"
        const results = await interleaved(
          {
            [base]: work("default fetch", h1),
            "clientele h1": work("clientele", h1),
            "clientele h2": work("clientele", h2),
            "clientele h1, rounds": work("clientele, rounds", h1),
            [floor]: work("thin fetch", h1),
            "bare undici": work("bare undici", h1)
          },
          runs
        )
        const isOn4 = currentLine() === 4
        const figure = (what: string, name: keyof typeof results, atMost?: number): Figure => {
          const all = ratios(results[name], results[base])
          const note = `${round(median(results[name]), 0)} us a request; runs ${spread(all, 2)}`
          return { what, value: median(all), unit: "x", atMost, note }
        }
        const above = (what: string, name: keyof typeof results): Figure => {
          const all = ratios(results[name], results[floor]).map((ratio) => ratio - 1)
          return { what, value: median(all), unit: "of the floor", atMost: 0.25, note: `runs ${spread(all, 2)}` }
        }
        return [
          figure("clientele over HTTP/1.1 / openai, default fetch", "clientele h1", isOn4 ? 0.45 : 0.6),
          figure("clientele over TLS, HTTP/2 / openai, default fetch", "clientele h2", isOn4 ? 0.45 : 0.65),
          figure("floor: openai over the thinnest fetch / openai, default fetch", floor),
          figure("bare undici.request, no SDK / openai, default fetch", "bare undici"),
          figure("clientele over HTTP/1.1, a new fiber for each agent / openai, default fetch", "clientele h1, rounds"),
          above("above the floor, HTTP/1.1", "clientele h1"),
          above("above the floor, HTTP/2 with TLS", "clientele h2"),
          {
            what: "openai, default fetch",
            value: median(results[base]),
            unit: "us",
            note: `runs ${spread(results[base], 0)}`
          }
        ]
      })
    )
}
