/** The shape of a scenario, and the few things that are reckoned from it. */
import type { Law, Span } from "./law.ts"
import type { NginxOptions } from "../../test/support/nginx.ts"
import type { ClientOptions, Contender, Load, OurOptions } from "./protocol.ts"

/** A time in which the provider is dead, or partly well. */
type Trouble = Span & { readonly kind: "dead" | "partial" }

export interface Scenario {
  readonly name: string
  readonly law: Law
  readonly load: Load
  /** About how long a run takes, in seconds. */
  readonly seconds: number
  /** @default "http/1.1" */
  readonly protocol?: "http/1.1" | "h2" | undefined
  readonly options?: ClientOptions | undefined
  readonly ours?: OurOptions | undefined
  /** Processes that each bear the whole load. @default 1 */
  readonly processes?: number | undefined
  /** Stands before the provider, or in its place. */
  readonly front?: (NginxOptions & { readonly kind: "nginx" }) | { readonly kind: "blackHole" } | undefined
  readonly trouble?: Trouble | undefined
  /** The group that is judged. @default all */
  readonly judged?: string | undefined
  /** All rows must be answered: an outage of at most 10 s in which nothing was worked on, with retries. */
  readonly whole?: boolean | undefined
  /** Milliseconds within which each row must have failed; then nothing else is judged. */
  readonly failsWithin?: number | undefined
  /** Seeds at the most. */
  readonly seeds?: number | undefined
  /** Contenders run one after another, since each of them needs the CPU. */
  readonly isHeavy?: boolean | undefined
  /** Part of `--quick`. */
  readonly isQuick?: boolean | undefined
  /** A factor of scale, or another thing that a reader must know. */
  readonly note?: string | undefined
}

/** Sockets that clientele opens to an origin by default, at the most. */
const DEFAULT_SOCKETS = 256
const PARALLEL = 64
/** Requests a second that two cores serve without being what is measured. */
const CAPACITY = 900
/** Runs at once: each has two processes, whose start alone takes a core half a second. */
const MOST_RUNS = 9
/** Seconds that processes take to start and to end. */
const START_SECONDS = 3

const agentsOf = ({ load, processes = 1 }: Scenario): number =>
  processes * load.groups.reduce((sum, { agents }) => sum + agents, 0)

/** Options of clientele alone: over HTTP/1.1 as many sockets as agents, as the others open, lest that bound is measured. */
export const oursOf = (scenario: Scenario): OurOptions => {
  const agents = agentsOf(scenario) / (scenario.processes ?? 1)
  const isBound = (scenario.protocol ?? "http/1.1") === "http/1.1" && agents > DEFAULT_SOCKETS
  return { ...(isBound && { maxConnections: agents }), ...scenario.ours }
}

/** Requests a second of one contender. */
const rateOf = (scenario: Scenario, contender: Contender): number => {
  const { high, low } = scenario.law.latency
  const agents = contender === "P" ? Math.min(PARALLEL, agentsOf(scenario)) : agentsOf(scenario)
  return (agents / (low + high)) * 2000
}

export interface Job {
  readonly scenario: Scenario
  readonly seed: number
  readonly contender: Contender
}

const all: ReadonlyArray<Contender> = ["C", "O", "P"]

/** The runs of a scenario, in batches that run at once: all contenders of one to three seeds, or one contender. */
export const batches = (scenario: Scenario, seeds: number): ReadonlyArray<ReadonlyArray<Job>> => {
  const count = Math.min(seeds, scenario.seeds ?? seeds)
  const jobs = Array.from({ length: count }, (_, i) =>
    all.map((contender) => ({ scenario, seed: i + 1, contender }))
  ).flat()
  const rate = all.reduce((sum, contender) => sum + rateOf(scenario, contender), 0)
  const fits = Math.min(MOST_RUNS / all.length, Math.floor(CAPACITY / rate))
  const size =
    scenario.isHeavy === true || fits < 1 ? 1 : all.length * Math.max(1, Math.floor(fits / (scenario.processes ?? 1)))
  return Array.from({ length: Math.ceil(jobs.length / size) }, (_, i) => jobs.slice(i * size, (i + 1) * size))
}

/** About how many seconds the runs of a scenario take. */
export const secondsOf = (scenario: Scenario, seeds: number): number =>
  batches(scenario, seeds).length * (scenario.seconds + START_SECONDS)
