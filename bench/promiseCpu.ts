/** CPU of a chat request for code without Effect: `getOpenAIClient` at each call against one `OpenAI` that all share. */
import { type Bench, type Figure, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Work } from "./cpuWorker.ts"
import { type Server, withServer } from "./server.ts"

const AT_ONCE = 2_000
/** The default fetch opens sockets for so long: two for each that asks at once, and each costs a handshake with TLS. */
const WARM_UP = 12_000
const CALLS = 10_000
const SOCKETS = 64

const work = (variant: Work["variant"], server: Server) => () =>
  measure<Work, number>("cpuWorker.ts", {
    variant,
    target: { baseURLs: [server.baseURL], keys: 1, ca: server.ca, maxConnections: SOCKETS },
    atOnce: AT_ONCE,
    warmUp: WARM_UP,
    agents: CALLS
  })

export const promiseCpu: Bench = {
  name: "promise-cpu",
  about: `CPU of a chat request without Effect: ${AT_ONCE} at once, ${CALLS} a run after ${WARM_UP} to warm up, ${SOCKETS} sockets where there is a bound`,
  run: ({ runs }) =>
    withServer(["--protocol", "http/1.1"], (plain) =>
      // To the SDK's default fetch, which has no HTTP/2, this server speaks HTTP/1.1.
      withServer(["--protocol", "both", "--tls", "--max-streams", "1000"], async (tls) => {
        const results = await interleaved(
          {
            "openai, h1": work("default fetch", plain),
            "getOpenAIClient, h1": work("getOpenAIClient", plain),
            "floor, h1": work("thin fetch", plain),
            "openai, TLS": work("default fetch", tls),
            "getOpenAIClient, TLS": work("getOpenAIClient", tls)
          },
          runs
        )
        const figure = (what: string, of: keyof typeof results, to: keyof typeof results, atMost?: number): Figure => {
          const all = ratios(results[of], results[to])
          const us = (name: keyof typeof results) => round(median(results[name]), 0)
          return {
            what,
            value: median(all),
            unit: "x",
            atMost,
            note: `${us(of)} and ${us(to)} us; runs ${spread(all, 2)}`
          }
        }
        return [
          figure("getOpenAIClient / one OpenAI, HTTP/1.1", "getOpenAIClient, h1", "openai, h1", 0.5),
          figure(
            "getOpenAIClient, HTTP/2 / one OpenAI, HTTP/1.1, both with TLS",
            "getOpenAIClient, TLS",
            "openai, TLS",
            0.5
          ),
          figure("floor: openai over the thinnest fetch / one OpenAI, HTTP/1.1", "floor, h1", "openai, h1")
        ]
      })
    )
}
