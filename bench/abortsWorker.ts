/** A process of one Node that weathers a storm of aborts. */
import { makePool } from "../src/internal/transport/pool.ts"
import { SocketBudget } from "../src/internal/transport/sockets.ts"
import { storm } from "../test/support/storm.ts"
import { input, report } from "./child.ts"

export interface Work {
  readonly origin: string
  readonly ca: string
  readonly aborts: number
}

export interface Outcome {
  readonly node: string
  readonly requests: number
  readonly aborts: number
  readonly lost: number
  /** Error of the first lost request. */
  readonly first: string | undefined
  /** HTTP/2 sessions opened. */
  readonly sessions: number
  /** The most memory that the process ever had, in MB. */
  readonly peakRss: number
  /** In seconds. */
  readonly took: number
}

const { aborts, ca, origin } = input<Work>()
const pool = makePool({ origin, ca, budget: new SocketBudget(512) })
const from = performance.now()
const done = await storm(pool, aborts)
const took = (performance.now() - from) / 1000
const { opened, protocol } = pool.stats()
if (protocol !== "h2") throw new Error(`it went over ${protocol}`)
await pool.close(1_000)
const outcome: Outcome = {
  node: process.version,
  requests: done.requests,
  aborts: done.aborts,
  lost: done.lost.length,
  first: done.lost[0],
  sessions: opened,
  peakRss: process.resourceUsage().maxRSS / 1024,
  took
}
report(outcome)
