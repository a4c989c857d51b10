/** Sockets that a great crowd over many API keys needs, as the server counts them, and the cost of waiting for them. */
import { type Bench, type Figure, interleaved, median, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Outcome, Work } from "./crowdWorker.ts"
import { withServer } from "./server.ts"

const AGENTS = 10_000
const KEYS = 100
/** Default `maxConnections` of one transport. */
const BOUND = 256

interface Case {
  readonly what: string
  readonly flags: ReadonlyArray<string>
  /** Latency of the server, in ms. */
  readonly latency: number
  /** Requests that the bound lets be under way at the same time. */
  readonly capacity: number
  readonly mostSockets: number
}

/**
 * The bound on time is latency x the turns that it takes. It means something only if latency, and not the CPU of one
 * process that sends 10,000 requests in one burst (about 3 s), is what takes the time: hence 20 s where one turn
 * does for all, as a long completion takes, and 0.5 s where forty turns are needed.
 */
const cases = {
  "h2, 3000 streams": {
    what: "HTTP/2, 3,000 streams a socket",
    flags: ["--tls", "--protocol", "h2", "--max-streams", "3000"],
    latency: 20_000,
    capacity: AGENTS,
    mostSockets: 4
  },
  "h2, 100 streams": {
    what: "HTTP/2, 100 streams a socket",
    flags: ["--tls", "--protocol", "h2", "--max-streams", "100"],
    latency: 20_000,
    capacity: AGENTS,
    mostSockets: Math.min(BOUND, AGENTS / 100 + 1)
  },
  "http/1.1": {
    what: "HTTP/1.1",
    flags: ["--protocol", "http/1.1"],
    latency: 500,
    capacity: BOUND,
    mostSockets: BOUND
  }
} satisfies Record<string, Case>

interface Result extends Outcome {
  readonly peak: number
}

const once = (one: Case) => (): Promise<Result> =>
  withServer([...one.flags, "--latency", String(one.latency)], async (server) => {
    const target = { baseURLs: [server.baseURL], keys: KEYS, ca: server.ca }
    const outcome = await measure<Work, Outcome>("crowdWorker.ts", { target, agents: AGENTS })
    return { ...outcome, peak: (await server.stats()).connections.peak }
  })

const figures = (one: Case, results: ReadonlyArray<Result>): ReadonlyArray<Figure> => {
  const ideal = one.latency * Math.ceil(AGENTS / one.capacity)
  const peaks = results.map(({ peak }) => peak)
  const walls = results.map(({ wall }) => wall / ideal)
  const first = results.find(({ first }) => first !== undefined)?.first
  return [
    {
      what: `${one.what}: peak sockets`,
      value: median(peaks),
      unit: "sockets",
      atMost: one.mostSockets,
      note: `server's count; runs ${spread(peaks, 0)}`
    },
    {
      what: `${one.what}: agents that failed`,
      value: Math.max(...results.map(({ failed }) => failed)),
      unit: "agents",
      atMost: 0,
      note: first ?? `of ${AGENTS}, in the worst run`
    },
    {
      what: `${one.what}: wall time / what bound and latency allow`,
      value: median(walls),
      unit: "x",
      atMost: 1.3,
      note: `${round(median(results.map(({ wall }) => wall / 1000)), 1)} s, latency ${one.latency} ms, ideal ${ideal / 1000} s; runs ${spread(walls, 2)}`
    }
  ]
}

export const sockets: Bench = {
  name: "sockets",
  about: `${AGENTS} agents at once over ${KEYS} API keys, one origin, from a cold start`,
  run: async ({ runs }) => {
    const results = await interleaved(
      {
        "h2, 3000 streams": once(cases["h2, 3000 streams"]),
        "h2, 100 streams": once(cases["h2, 100 streams"]),
        "http/1.1": once(cases["http/1.1"])
      },
      runs
    )
    return (Object.keys(cases) as Array<keyof typeof cases>).flatMap((name) => figures(cases[name], results[name]))
  }
}
