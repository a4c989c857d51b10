/** Which fault a request meets: rules in order, or the request's own header. */
import type { Fault, FaultMatch, FaultRule, Faults } from "./model.ts"

interface Live {
  readonly rule: FaultRule
  seen: number
  applied: number
}

export interface Facts {
  readonly path: string
  readonly model: string | undefined
  readonly key: string
}

const fits = (want: string | RegExp | undefined, got: string | undefined): boolean => {
  if (want === undefined) return true
  if (got === undefined) return false
  return typeof want === "string" ? want === got : new RegExp(want.source, want.flags.replace(/[gy]/g, "")).test(got)
}

const matches = (match: FaultMatch | undefined, facts: Facts): boolean =>
  match === undefined ||
  (fits(match.path, facts.path) &&
    fits(match.model, facts.model) &&
    (match.apiKey === undefined || match.apiKey === facts.key))

const spent = (live: Live): boolean =>
  (live.rule.times !== undefined && live.applied >= live.rule.times) ||
  (live.rule.match?.nth !== undefined && live.seen >= live.rule.match.nth)

export class FaultScript implements Faults {
  #live: Array<Live>
  constructor(rules: ReadonlyArray<FaultRule>) {
    this.#live = rules.map(start)
  }
  push(...rules: ReadonlyArray<FaultRule>): void {
    this.#live.push(...rules.map(start))
  }
  replace(rules: ReadonlyArray<FaultRule>): void {
    this.#live = rules.map(start)
  }
  pending(): ReadonlyArray<FaultRule> {
    return this.#live.filter((live) => !spent(live)).map((live) => live.rule)
  }
  find(facts: Facts): Fault | undefined {
    for (const live of this.#live) {
      if (spent(live) || !matches(live.rule.match, facts)) continue
      live.seen++
      const { nth, every } = live.rule.match ?? {}
      if (nth !== undefined && live.seen !== nth) continue
      if (every !== undefined && live.seen % every !== 0) continue
      live.applied++
      return live.rule.fault
    }
    return undefined
  }
}

const start = (rule: FaultRule): Live => ({ rule, seen: 0, applied: 0 })

/**
 * A fault in a header's notation, a name and its numbers: `status=503`, `status=429,insufficient_quota`,
 * `resetBeforeHeaders=7`, `resetMidBody=100`, `stall=headers`, `stall=body,500`, `garbage=json`, `slowDrip=10,50`,
 * `truncate=10`, `goAway`. Undefined if it is none.
 */
export const parseFault = (text: string): Fault | undefined => {
  const [name = "", value = ""] = text.split("=", 2).map((part) => part.trim())
  const [first, second] = value.split(",").map((part) => part.trim())
  const a = numeric(first)
  const b = numeric(second)
  switch (name) {
    case "status":
      return a !== undefined && a >= 200 && a <= 599 ? { type: "status", status: a, code: second } : undefined
    case "resetBeforeHeaders":
      return { type: "resetBeforeHeaders", code: a }
    case "resetMidBody":
      return { type: "resetMidBody", afterBytes: a, code: b }
    case "stall":
      return first === "headers" || first === "body" ? { type: "stall", at: first, ms: b } : undefined
    case "garbage":
      return first === "json" || first === "protocol" ? { type: "garbage", what: first } : undefined
    case "slowDrip":
      return a !== undefined && a > 0 && b !== undefined ? { type: "slowDrip", bytes: a, every: b } : undefined
    case "truncate":
      return { type: "truncate", missing: a }
    case "goAway":
      return { type: "goAway", code: a }
    default:
      return undefined
  }
}

export const numeric = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined
