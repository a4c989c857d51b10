/** Cost of agents that wait for a socket, against as many fibers, Effect's streams, promises or loops that wait for nothing. */
import { type Bench, type Figure, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import { type Server, withServer } from "./server.ts"
import type { Outcome, Work } from "./waitingWorker.ts"

const FEW = 10_000
const MANY = 50_000
const SOCKETS = 64

const work = (variant: Work["variant"], agents: number, server: Server) => () =>
  measure<Work, Outcome>(
    "waitingWorker.ts",
    { variant, agents, target: { baseURLs: [server.baseURL], keys: 1, ca: server.ca, maxConnections: SOCKETS } },
    { nodeArgs: ["--expose-gc"] }
  )

const figures = (of: string, results: ReadonlyArray<Outcome>, waits: ReadonlyArray<Outcome>): ReadonlyArray<Figure> => {
  const all = (name: keyof Outcome, outcomes = results) => outcomes.map((outcome) => outcome[name])
  const heaps = results.map(({ heap }, i) => (heap - (waits[i]?.heap ?? NaN)) / 1_024)
  const blocked = ratios(all("blocked"), all("blocked", waits))
  return [
    {
      what: `${of}: heap of each above that of a wait`,
      value: median(heaps),
      unit: "KB",
      atMost: 4,
      note: `a wait ${round(median(all("heap", waits)) / 1_024, 2)} KB; runs ${spread(heaps, 2)}`
    },
    {
      what: `${of}: event loop blocked / by as many waits`,
      value: median(blocked),
      unit: "x",
      atMost: 1.5,
      note: `${round(median(all("blocked")), 0)} ms; runs ${spread(blocked, 2)}`
    },
    {
      what: `${of}: event loop blocked by interrupting all at once`,
      value: median(all("interrupted")),
      unit: "ms",
      note: `waits ${round(median(all("interrupted", waits)), 0)} ms`
    }
  ]
}

export const waiting: Bench = {
  name: "waiting",
  about: `${FEW} and ${MANY} agents that wait for one of ${SOCKETS} sockets, whose requests get no answer`,
  run: ({ runs }) =>
    withServer(["--protocol", "http/1.1", "--fault", "stall=headers"], async (server) => {
      const all: Array<Figure> = []
      for (const agents of [FEW, MANY]) {
        const { fibers, loops, promises, streams, ...results } = await interleaved(
          {
            fibers: work("fibers", agents, server),
            streams: work("streams", agents, server),
            promises: work("promises", agents, server),
            loops: work("loops", agents, server),
            use: work("use", agents, server),
            "use, before there is a client": work("use, cold", agents, server),
            stream: work("stream", agents, server),
            direct: work("direct", agents, server),
            directStream: work("directStream", agents, server),
            directPromise: work("directPromise", agents, server),
            "directPromise, before there is a client": work("directPromise, cold", agents, server),
            directPromiseStream: work("directPromiseStream", agents, server),
            model: work("model", agents, server)
          },
          runs
        )
        const waits: Readonly<Record<string, ReadonlyArray<Outcome>>> = {
          stream: streams,
          directStream: streams,
          directPromise: promises,
          "directPromise, before there is a client": promises,
          directPromiseStream: loops
        }
        for (const [way, outcomes] of Object.entries(results)) {
          all.push(...figures(`${agents} agents, ${way}`, outcomes, waits[way] ?? fibers))
        }
      }
      return all
    })
}
