/**
 * Cost of agents that wait for a socket, against as many fibers, Effect's streams, promises, loops, or calls of a model that
 * @effect/ai alone makes, that wait for nothing.
 */
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

const all = (outcomes: ReadonlyArray<Outcome>, name: keyof Outcome) => outcomes.map((outcome) => outcome[name])

const heap = (of: string, what: string, results: ReadonlyArray<Outcome>, waits: ReadonlyArray<Outcome>): Figure => {
  const heaps = results.map(({ heap }, i) => (heap - (waits[i]?.heap ?? NaN)) / 1_024)
  return {
    what: `${of}: heap of each above that of ${what}`,
    value: median(heaps),
    unit: "KB",
    atMost: 4,
    note: `${what} ${round(median(all(waits, "heap")) / 1_024, 2)} KB; runs ${spread(heaps, 2)}`
  }
}

const figures = (of: string, results: ReadonlyArray<Outcome>, waits: ReadonlyArray<Outcome>): ReadonlyArray<Figure> => {
  const blocked = ratios(all(results, "blocked"), all(waits, "blocked"))
  return [
    heap(of, "a wait", results, waits),
    {
      what: `${of}: event loop blocked / by as many waits`,
      value: median(blocked),
      unit: "x",
      atMost: 1.5,
      note: `${round(median(all(results, "blocked")), 0)} ms; runs ${spread(blocked, 2)}`
    },
    {
      what: `${of}: event loop blocked by interrupting all at once`,
      value: median(all(results, "interrupted")),
      unit: "ms",
      note: `waits ${round(median(all(waits, "interrupted")), 0)} ms`
    }
  ]
}

export const waiting: Bench = {
  name: "waiting",
  about: `${FEW} and ${MANY} agents that wait for one of ${SOCKETS} sockets, whose requests get no answer`,
  run: ({ runs }) =>
    withServer(["--protocol", "http/1.1", "--fault", "stall=headers"], async (server) => {
      const measured: Array<Figure> = []
      for (const agents of [FEW, MANY]) {
        const { fibers, loops, models, promises, streams, ...results } = await interleaved(
          {
            fibers: work("fibers", agents, server),
            streams: work("streams", agents, server),
            models: work("models", agents, server),
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
          model: models,
          directPromise: promises,
          "directPromise, before there is a client": promises,
          directPromiseStream: loops
        }
        for (const [way, outcomes] of Object.entries(results)) {
          const of = `${agents} agents, ${way}`
          measured.push(...figures(of, outcomes, waits[way] ?? fibers))
          if (way === "model") measured.push(heap(of, "a fiber", outcomes, fibers))
        }
      }
      return measured
    })
}
