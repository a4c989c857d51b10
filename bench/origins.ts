/** Many origins and few descriptors: one bound holds all pools together. */
import { type Bench, interleaved, median, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Outcome, Work } from "./crowdWorker.ts"
import { withServer } from "./server.ts"

const ORIGINS = 40
const AGENTS = 2_000
const OPEN_FILES = 256
/** The default of `maxSockets`: half of the limit on open files. */
const MAX_SOCKETS = OPEN_FILES / 2

interface Result extends Outcome {
  readonly peak: number
}

/** One server that listens on all of 127.0.0.0/8 (as Linux has it) is 40 origins, and counts the sockets of all of them. */
const once = (): Promise<Result> =>
  withServer(["--host", "0.0.0.0", "--protocol", "http/1.1", "--latency", "50"], async (server) => {
    const baseURLs = Array.from({ length: ORIGINS }, (_, i) => `http://127.0.0.${i + 1}:${server.port}/v1`)
    const work = { target: { baseURLs, keys: 1, ca: server.ca }, agents: AGENTS }
    const outcome = await measure<Work, Outcome>("crowdWorker.ts", work, { openFiles: OPEN_FILES })
    return { ...outcome, peak: (await server.stats()).connections.peak }
  })

export const origins: Bench = {
  name: "origins",
  about: `${ORIGINS} origins, ${AGENTS} agents at once, ulimit -n ${OPEN_FILES}`,
  run: async ({ runs }) => {
    const { clientele: results } = await interleaved({ clientele: once }, runs)
    const peaks = results.map(({ peak }) => peak)
    const own = results.map(({ ownPeak }) => ownPeak)
    return [
      {
        what: "agents that failed",
        value: Math.max(...results.map(({ failed }) => failed)),
        unit: "agents",
        atMost: 0,
        note: results.find(({ first }) => first !== undefined)?.first ?? `of ${AGENTS}, in the worst run`
      },
      {
        what: "peak sockets of all origins",
        value: median(peaks),
        unit: "sockets",
        atMost: MAX_SOCKETS,
        note: `server's count, which learns of a close after the socket opened in its place; runs ${spread(peaks, 0)}`
      },
      {
        what: "the same as the client counts",
        value: median(own),
        unit: "sockets",
        atMost: MAX_SOCKETS,
        note: `runs ${spread(own, 0)}`
      },
      { what: "wall time", value: median(results.map(({ wall }) => wall / 1000)), unit: "s" }
    ]
  }
}
