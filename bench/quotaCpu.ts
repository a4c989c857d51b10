/** Cost of a quota that delays no request: reading each request and its answer's usage, and counting. */
import { type Bench, type Figure, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Target } from "./agents.ts"
import type { Work } from "./cpuWorker.ts"
import { type Server, withServer } from "./server.ts"

const AT_ONCE = 2_000
const WARM_UP = 6_000
const AGENTS = 10_000
const SOCKETS = 64

/** Far above what a process can do. */
const limits = { requestsPerMinute: 1e9, tokensPerMinute: 1e12, maxConcurrency: 100_000 }
/** Bounded, or it would have no reason to stop growing. */
const adaptive = { ...limits, maxConcurrency: { initial: 100_000, max: 100_000 } }

const work = (server: Server, quota: Target["quota"]) => () =>
  measure<Work, number>("cpuWorker.ts", {
    variant: "clientele",
    target: { baseURLs: [server.baseURL], keys: 1, ca: server.ca, maxConnections: SOCKETS, quota },
    atOnce: AT_ONCE,
    warmUp: WARM_UP,
    agents: AGENTS
  })

export const quotaCpu: Bench = {
  name: "quota-cpu",
  about: `CPU of a chat request with limits that delay no request against none: ${AT_ONCE} agents at once, ${AGENTS} a run after ${WARM_UP} to warm up, HTTP/1.1`,
  run: ({ runs }) =>
    withServer(["--protocol", "http/1.1", "--log-size", "0"], async (server) => {
      const results = await interleaved(
        { off: work(server, undefined), on: work(server, limits), adaptive: work(server, adaptive) },
        runs
      )
      const figure = (what: string, name: "on" | "adaptive", atMost?: number): Figure => {
        const all = ratios(results[name], results.off)
        const us = (name: keyof typeof results) => round(median(results[name]), 0)
        return {
          what,
          value: median(all),
          unit: "x",
          atMost,
          note: `${us(name)} and ${us("off")} us; runs ${spread(all, 2)}`
        }
      }
      return [
        figure("requests and tokens a minute and concurrency limited / no limits", "on", 1.1),
        figure("the same with adaptive concurrency / no limits", "adaptive")
      ]
    })
}
