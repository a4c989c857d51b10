/** Parts that most scenarios are made of. */
import type { Fault, Law, Rule, Span } from "../law.ts"
import type { Load } from "../protocol.ts"

export const status = (code: number, more: { readonly retryAfter?: string; readonly after?: number } = {}): Fault => ({
  kind: "status",
  status: code,
  ...more
})

export const span = (from: number, until: number): Span => ({ from, until })

/** Latencies by the number of agents: so long that about 250 requests a second are enough. */
export const latencyOf = (agents: number): Law["latency"] => {
  if (agents <= 60) return { low: 300, high: 700 }
  if (agents <= 100) return { low: 500, high: 1_000 }
  if (agents <= 300) return { low: 800, high: 1_200 }
  if (agents <= 500) return { low: 1_500, high: 2_500 }
  return { low: 4 * agents - 1_000, high: 4 * agents + 1_000 }
}

/** A fault of this probability all the time. */
export const always = (fault: Fault, p: number): ReadonlyArray<Rule> => [{ fault, p }]

/** Agents that take rows from one list until it is empty. */
export const rows = (agents: number, count: number, cut: number): Load => ({
  groups: [{ name: "all", agents, rows: count }],
  stagger: 300,
  cut
})

/** Milliseconds that rows which began in time may go on. */
const GRACE_MS = 12_000

/** Agents that ask on and on until `ms`. */
export const timed = (agents: number, ms: number, stagger = 500): Load => ({
  groups: [{ name: "all", agents }],
  ms,
  stagger,
  cut: ms + GRACE_MS
})
