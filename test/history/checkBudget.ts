/** Invariants of a quota's budgets: no minute has more than its limit, and all that is taken is accounted for. Pure. */
import type { Violation } from "./history.ts"
import {
  inFlight,
  limitsAt,
  type Permit,
  type QuotaHistory,
  type Quotas,
  sorted,
  waiting,
  mayBeClosedUntil
} from "./quotaHistory.ts"

type Check = (quotas: Quotas) => ReadonlyArray<Violation>

const minute = 60_000

/** Clocks count in floating point. */
const slack = 1e-3

/** A change of what a model has taken. */
interface Change {
  readonly from: number
  readonly at: number
  readonly requests: number
  readonly tokens: number
  readonly permit: Permit | undefined
}

const changesOf = ({ permits }: Quotas, model: string): ReadonlyArray<Change> =>
  permits
    .filter((one) => one.model === model)
    .flatMap((permit): ReadonlyArray<Change> => {
      const { at, ended, got, tokens } = permit
      const taken = { from: got, at, requests: 1, tokens, permit }
      if (ended === undefined) return [taken]
      const { at: when, call, from } = ended
      const refunded = { from, at: when, requests: -1, tokens: -tokens, permit: undefined }
      const settled = call.f === "settle" ? { ...refunded, requests: 0, tokens: call.tokens - tokens } : refunded
      return [taken, settled]
    })
    .sort((a, b) => a.from - b.from)

/**
 * From any request on, what has been taken before the next one goes is no more than the time since has earned, and what
 * a burst may go ahead. Limits that change begin anew.
 */
const withinRates: Check = (quotas) =>
  quotas.models.flatMap((model) => {
    const changes = changesOf(quotas, model)
    const turns = [...quotas.of("join"), ...quotas.of("part")].map(({ from }) => from)
    const broken: Array<Violation> = []
    for (const [index, first] of changes.entries()) {
      if (first.permit === undefined) continue
      let requests = first.requests
      let tokens = first.tokens
      for (const next of changes.slice(index + 1)) {
        if (turns.some((turn) => first.from < turn && turn < next.from)) break
        const limits = limitsAt(quotas, next.from)
        const share = (next.at - first.at + slack) / minute
        if (next.permit !== undefined && !next.permit.shared) {
          const ahead = limits.burst - 1
          if (requests > share * limits.requests + ahead || tokens > share * limits.tokens + ahead * next.tokens) {
            const what = `${next.permit.op} for ${model}: ${requests} requests, ${tokens} tokens since ${first.at} ms`
            broken.push({ rule: "within requests and tokens a minute", what })
          }
        }
        requests += next.requests
        tokens += next.tokens
      }
    }
    return broken
  })

const withinConcurrency: Check = (quotas) =>
  quotas.permits.flatMap(({ got, model, op }) => {
    const now = inFlight(quotas, model, got) + 1
    const { concurrency } = limitsAt(quotas, got)
    return now <= concurrency
      ? []
      : [{ rule: "within concurrency", what: `${op} is one of ${now} in flight, of ${concurrency}` }]
  })

/** GCRA as its definition has it: the time at which all is paid for. */
const paidAt = (quotas: Quotas, model: string, at: number, unit: "requests" | "tokens"): number => {
  const price = (index: number) => minute / limitsAt(quotas, index)[unit]
  const turns = [...quotas.of("join"), ...quotas.of("part")].map(({ at: when, from }) => ({ from, at: when }))
  const events = [...changesOf(quotas, model), ...turns.map((turn) => ({ ...turn, turn: true }))]
  let paid = -Infinity
  for (const event of events.filter(({ from }) => from < at).sort((a, b) => a.from - b.from)) {
    const before = price(event.from)
    const after = price(event.from + 1)
    if ("turn" in event) {
      if (before > 0 && after > 0 && paid > event.at) paid = event.at + (paid - event.at) * (after / before)
    } else if (before > 0 && event[unit] !== 0) paid = Math.max(paid, event.at) + event[unit] * before
  }
  return paid
}

/** Milliseconds until one that costs so much may go; requests cost one. */
const waitFor = (quotas: Quotas, model: string, from: number, at: number, tokens: number): number => {
  const limits = limitsAt(quotas, from)
  const of = (unit: "requests" | "tokens", cost: number) =>
    limits[unit] === Infinity
      ? 0
      : paidAt(quotas, model, from, unit) - (limits.burst - 1) * cost * (minute / limits[unit]) - at
  return Math.max(0, of("requests", 1), of("tokens", tokens))
}

/** Reserved tokens are settled or refunded: the rest that the quota reports is the rest of the minute. */
const settledOrRefunded: Check = (quotas) =>
  quotas.isShared
    ? []
    : quotas.of("look").flatMap(({ at, call, from }) =>
        call.models.flatMap(({ model, tokensLeft }) => {
          const { tokens } = limitsAt(quotas, from)
          if (tokens === Infinity) return []
          const debt = Math.max(0, paidAt(quotas, model, from, "tokens") - at)
          const left = Math.max(0, (minute - debt) / (minute / tokens))
          return Math.abs(left - tokensLeft) <= 1 + slack
            ? []
            : [
                {
                  rule: "reserved is settled or refunded",
                  what: `${model} has ${left} left at ${from}, not ${tokensLeft}`
                }
              ]
        })
      )

/** The same of a shared budget, counted by those who share it. */
const sharedIsSettled: Check = (quotas) =>
  quotas.of("quiet").flatMap(({ from: now }) =>
    quotas.models.flatMap((model) => {
      const reserves = quotas.of("reserve").filter(({ call, from }) => call.model === model && from < now)
      if (reserves.some(({ to }) => to > now)) return []
      let requests = 0
      let tokens = 0
      for (const { call, detail } of reserves) {
        const taken = call.costs.slice(0, detail?.taken ?? 0)
        requests += taken.length
        tokens += taken.reduce((sum, one) => sum + one, 0)
      }
      for (const { call, from } of quotas.of("correct")) {
        if (call.model !== model || from > now) continue
        requests += call.requests
        tokens += call.tokens
      }
      for (const { ended, got, model: its, shared, tokens: taken } of quotas.permits) {
        if (its !== model || !shared || got > now) continue
        const end = ended !== undefined && ended.from < now ? ended.call : undefined
        if (end?.f === "refund") continue
        requests--
        tokens -= end?.f === "settle" ? end.tokens : taken
      }
      return requests === 0 && tokens === 0
        ? []
        : [
            {
              rule: "reserved is settled or refunded",
              what: `${requests} requests, ${tokens} tokens of ${model} at ${now}`
            }
          ]
    })
  )

/** The longest pause, in ms, between two who follow a probe. */
const PACE_MS = 50

/** Nobody who could go waits: not while there is room and budget, and no gate was ever closed on them. */
const goesWhenFree: Check = (quotas) =>
  quotas.isShared
    ? []
    : quotas.of("quiet").flatMap(({ at, from }) =>
        quotas.models.flatMap((model) => {
          const [head] = waiting(quotas, model, from)
          if (head === undefined || inFlight(quotas, model, from) >= limitsAt(quotas, from).least) return []
          const closings = quotas.of("answer").filter((one) => one.from < from && one.call.closes > 0)
          // Through a gate that was closed they go one after the other, as answers come.
          const isTried = closings.length > 0 && inFlight(quotas, model, from) > 0
          // And at a pace of twenty a second or more.
          const isPaced =
            closings.length > 0 && quotas.permits.some((one) => one.model === model && at - one.at < PACE_MS)
          const isClosed = at < mayBeClosedUntil(quotas, model, from)
          const isRefused =
            quotas.of("refuse").some((one) => one.from < from) &&
            quotas.models.some((one) => inFlight(quotas, one, from) > 0)
          if (isTried || isPaced || isClosed || isRefused) return []
          // A request that entered while tokens were unlimited costs none.
          const cost = limitsAt(quotas, head.from).tokens === Infinity ? 0 : head.call.tokens
          const wait = waitFor(quotas, model, from, at, cost)
          return wait > slack ? [] : [{ rule: "no wakeup is lost", what: `${head.op} could go at ${from}` }]
        })
      )

const counted: Check = (quotas) =>
  quotas.of("look").flatMap(({ call, from }) =>
    quotas.models.flatMap((model) => {
      const told = call.models.find((one) => one.model === model)
      const facts = [inFlight(quotas, model, from), waiting(quotas, model, from).length]
      return (told?.inFlight === facts[0] && told?.queued === facts[1]) ||
        (told === undefined && facts.every((n) => n === 0))
        ? []
        : [
            {
              rule: "permits are counted",
              what: `${facts.join(" and ")} of ${model} at ${from}, told ${JSON.stringify(told)}`
            }
          ]
    })
  )

const checks: ReadonlyArray<Check> = [
  withinRates,
  withinConcurrency,
  settledOrRefunded,
  sharedIsSettled,
  goesWhenFree,
  counted
]

export const checkBudget = (history: QuotaHistory): ReadonlyArray<Violation> => {
  const quotas = sorted(history)
  return [...quotas.broken, ...checks.flatMap((check) => check(quotas))]
}
