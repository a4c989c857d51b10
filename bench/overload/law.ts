/**
 * The law by which the provider of a scenario responds. Pure functions of seed, row, attempt and time, so that all
 * contenders meet the same fate.
 */

/** One way to fail. `after` is the time from arrival to failure in milliseconds, 20 if absent. */
export type Fault =
  | {
      readonly kind: "status"
      readonly status: number
      readonly retryAfter?: string | undefined
      readonly after?: number | undefined
    }
  | { readonly kind: "reset"; readonly after?: number | undefined }
  | { readonly kind: "hang" }

/** Milliseconds since the start of the scenario. */
export interface Span {
  readonly from: number
  readonly until: number
}

/** A fault and the requests that it hits. All conditions that are present must hold. */
export interface Rule {
  readonly fault: Fault
  /** Probability, drawn by seed, row and attempt. @default 1 */
  readonly p?: number | undefined
  readonly during?: Span | undefined
  /** Within `during`: the fault holds in the first half of each such period, in milliseconds. */
  readonly period?: number | undefined
  readonly model?: string | undefined
  /** Index of the backend that the request was routed to. */
  readonly backend?: number | undefined
  /** Only the request that arrives at this position, counted from 1. */
  readonly nth?: number | undefined
}

export interface Law {
  /** Milliseconds until an answer, drawn evenly by seed and row. */
  readonly latency: { readonly low: number; readonly high: number }
  /** Multiplies the latency of requests that arrive during it. */
  readonly slow?: (Span & { readonly factor: number }) | undefined
  readonly rules?: ReadonlyArray<Rule> | undefined
  /** Requests worked on at once; more are answered 503. */
  readonly capacity?: ReadonlyArray<Span & { readonly atOnce: number }> | undefined
  /** Requests worked on at once; more wait in the server. Aborted ones are worked on too, as servers do. */
  readonly slots?: number | undefined
  /** Number of backends behind the address, and the unit that is routed to one of them. */
  readonly backends?: { readonly count: number; readonly by: "connection" | "request" } | undefined
  /** The listening socket is closed and connections are destroyed. */
  readonly refuse?: Span | undefined
  /** Times at which all connections are destroyed once. */
  readonly drops?: ReadonlyArray<number> | undefined
}

/** A request as the provider sees it. */
export interface Arrival {
  readonly row: number
  /** Attempts of this row so far, this one included. */
  readonly attempt: number
  readonly model: string
  /** Milliseconds since the start of the scenario. */
  readonly at: number
  /** Position among all requests, from 1. */
  readonly nth: number
  /** Index of its connection, from 0. */
  readonly connection: number
  /** Requests that are being worked on. */
  readonly inFlight: number
}

/** Evenly distributed in [0, 1); mulberry32 of mixed arguments. */
export const draw = (seed: number, row: number, attempt: number, salt = 0): number => {
  let state = Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(row + 1, 0x85ebca6b) ^ Math.imul(attempt + 1, 0xc2b2ae35)
  state = (state ^ Math.imul(salt + 1, 0x27d4eb2f)) + 0x6d2b79f5
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
  return ((state ^ (state >>> 16)) >>> 0) / 2 ** 32
}

const BACKEND = 101
const LATENCY = 102

const within = (span: Span, at: number): boolean => at >= span.from && at < span.until

const backendOf = (law: Law, seed: number, { attempt, connection, row }: Arrival): number => {
  if (law.backends === undefined) return 0
  const { by, count } = law.backends
  return by === "connection" ? (connection + seed) % count : Math.floor(draw(seed, row, attempt, BACKEND) * count)
}

const holds = (rule: Rule, salt: number, seed: number, arrival: Arrival, backend: number): boolean => {
  const { at, attempt, model, nth, row } = arrival
  if (rule.during !== undefined && !within(rule.during, at)) return false
  if (rule.period !== undefined && (at - (rule.during?.from ?? 0)) % rule.period >= rule.period / 2) return false
  if (rule.model !== undefined && rule.model !== model) return false
  if (rule.backend !== undefined && rule.backend !== backend) return false
  if (rule.nth !== undefined && rule.nth !== nth) return false
  return rule.p === undefined || draw(seed, row, attempt, salt) < rule.p
}

/** The fault that a request meets, or undefined if it is answered. */
export const faultOf = (law: Law, seed: number, arrival: Arrival): Fault | undefined => {
  const backend = backendOf(law, seed, arrival)
  const rule = law.rules?.find((rule, salt) => holds(rule, salt, seed, arrival, backend))
  if (rule !== undefined) return rule.fault
  const bound = law.capacity?.find((span) => within(span, arrival.at))
  return bound !== undefined && arrival.inFlight >= bound.atOnce ? { kind: "status", status: 503 } : undefined
}

/** Milliseconds that the work for an answer takes. */
export const latencyOf = (law: Law, seed: number, { at, row }: Arrival): number => {
  const { high, low } = law.latency
  const factor = law.slow !== undefined && within(law.slow, at) ? law.slow.factor : 1
  return (low + (high - low) * draw(seed, row, 0, LATENCY)) * factor
}
