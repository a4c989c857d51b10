/** Adaptive concurrency with a provider whose capacity falls to a tenth and comes back. */
import { setTimeout } from "node:timers/promises"
import { type Bench, type Figure, round } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Tally } from "./agents.ts"
import type { Work } from "./restlessWorker.ts"
import { type Counts, type Server, withServer } from "./server.ts"
import { begun } from "./window.ts"

const CAPACITIES = [200, 20, 200]
const ANSWER = 20
/** Milliseconds of an answer; a 429 comes at once. */
const LATENCY = 200
const AGENTS = 600
/** More than the limit can grow to before it is refused. */
const SOCKETS = 500
const SHARE = 0.9
/** Milliseconds between two looks, and of which the mean must reach the share. */
const LOOK = 50
const SPAN = 1_000

interface Look {
  /** Milliseconds since the capacity is this. */
  readonly at: number
  readonly inFlight: number
}

interface Phase {
  readonly capacity: number
  readonly looks: ReadonlyArray<Look>
  readonly from: Counts
  readonly to: Counts
}

interface Run {
  readonly phases: ReadonlyArray<Phase>
  readonly tally: Tally
}

const phase = async (server: Server, capacity: number, from: Counts, ms: number): Promise<Phase> => {
  const start = performance.now()
  const looks: Array<Look> = []
  let to = from
  for (let at = 0; at < ms; at = performance.now() - start) {
    await setTimeout(LOOK)
    to = await server.stats()
    looks.push({ at: performance.now() - start, inFlight: to.inFlight })
  }
  return { capacity, looks, from, to }
}

const follow = (ms: number): Promise<Run> =>
  withServer(
    [
      "--protocol",
      "http/1.1",
      "--max-concurrency",
      `${CAPACITIES[0]}`,
      "--tokens",
      `${ANSWER}`,
      "--time-per-token",
      `${LATENCY / ANSWER}`,
      "--log-size",
      "0"
    ],
    async (server) => {
      const target = {
        baseURLs: [server.baseURL],
        keys: 1,
        ca: server.ca,
        maxConnections: SOCKETS,
        quota: { maxConcurrency: "adaptive" as const }
      }
      const question = { prompt: 30, maxTokens: 80 }
      const asked = CAPACITIES.length * ms + 2_000
      const watched = async (): Promise<ReadonlyArray<Phase>> => {
        let { counts } = await begun(server)
        const phases: Array<Phase> = []
        for (const capacity of CAPACITIES) {
          process.stderr.write(`  capacity ${capacity} for ${ms / 1000} s\n`)
          await server.maxConcurrency(capacity)
          const one = await phase(server, capacity, counts, ms)
          phases.push(one)
          counts = one.to
        }
        return phases
      }
      const [phases, tally] = await Promise.all([
        watched(),
        measure<Work, Tally>("restlessWorker.ts", { variant: "clientele", target, agents: AGENTS, question, ms: asked })
      ])
      return { phases, tally }
    }
  )

const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** Milliseconds until the mean of a second reached the share; more than is possible, as just after a fall, counts as nothing. */
const reached = ({ capacity, looks }: Phase): number => {
  const used = (look: Look): number => (look.inFlight > 1.1 * capacity ? 0 : Math.min(1, look.inFlight / capacity))
  const end = looks.find(
    ({ at }) => at >= SPAN && mean(looks.filter((look) => look.at > at - SPAN && look.at <= at).map(used)) >= SHARE
  )
  return end?.at ?? Infinity
}

const share = (from: Counts, to: Counts): number =>
  ((to.rateLimited - from.rateLimited) / (to.requests - from.requests)) * 100

const figures = (one: Phase, i: number): ReadonlyArray<Figure> => {
  const what = i === 0 ? `from a cold start to ${one.capacity} at once` : `from ${CAPACITIES[i - 1]} to ${one.capacity}`
  const ms = reached(one)
  const after = one.looks.filter(({ at }) => at > ms).map(({ inFlight }) => Math.min(1, inFlight / one.capacity))
  return [
    {
      what: `${what}: until ${SHARE * 100}% of it are in use`,
      value: ms / 1000,
      unit: "s",
      atMost: 10,
      note: `the end of the first second of which the mean is that; server's count`
    },
    {
      what: `${what}: mean use after that`,
      value: mean(after) * 100,
      unit: "%",
      note: `429s in this phase: ${round(share(one.from, one.to), 2)}% of ${one.to.requests - one.from.requests}`
    }
  ]
}

export const adaptive: Bench = {
  name: "adaptive",
  about: `${AGENTS} agents, a provider that takes ${CAPACITIES.join(", then ")} requests at once and refuses more without a Retry-After, ${LATENCY} ms each`,
  run: async ({ quick }) => {
    const { phases, tally } = await follow(quick ? 15_000 : 40_000)
    const [first, last] = [phases[0]!, phases[phases.length - 1]!]
    return [
      ...phases.flatMap(figures),
      {
        what: "answered 429, of all requests",
        value: share({ ...first.from, requests: 0, rateLimited: 0 }, last.to),
        unit: "%",
        atMost: 2,
        note: `${last.to.rateLimited} of ${last.to.requests}`
      },
      {
        what: "rows that failed in the end",
        value: tally.failed,
        unit: "rows",
        note: tally.first ?? `of ${tally.answered}`
      }
    ]
  }
}
