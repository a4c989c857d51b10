/**
 * Invariants of requests that wait for a quota: their order, the gate, and the reasons of rejections. Pure: it reads a
 * history.
 */
import type { Violation } from "./history.ts"
import {
  closedUntil,
  limitsAt,
  mayBeClosedUntil,
  type QuotaHistory,
  type Quotas,
  sorted,
  waiting
} from "./quotaHistory.ts"

type Check = (quotas: Quotas) => ReadonlyArray<Violation>

/** Milliseconds of a closed gate for which those move who may. */
const worthMoving = 1_000

const throughNoClosedGate: Check = (quotas) =>
  quotas.permits
    .filter(({ at, got, model }) => at < closedUntil(quotas, model, got) - 1e-3)
    .map(({ at, op }) => ({ rule: "nobody passes a closed gate", what: `${op} did at ${at} ms` }))

/** A shared budget is asked for many at once, and those who come back meanwhile are not waited for. */
const inOrder: Check = (quotas) =>
  quotas.isShared
    ? []
    : quotas.of("enter").flatMap(({ call, detail, op, to }) =>
        detail?.permit === undefined
          ? []
          : waiting(quotas, call.model, to)
              .filter((other) => other.call.order < call.order)
              .map((other) => ({ rule: "first come, first served", what: `${op} overtook ${other.op}` }))
      )

const isFull = (quotas: Quotas, model: string, at: number): boolean =>
  waiting(quotas, model, at).length >= limitsAt(quotas, at).waiters

/** A request that meets a full queue is rejected, unless it is requeued. */
const noLongerThanItMayBe: Check = (quotas) =>
  quotas
    .of("enter")
    .filter(({ call, detail, from }) => {
      const isTurnedAway = detail?.reason === "Capacity" || detail?.reason === "RateLimited"
      return !call.again && !isTurnedAway && isFull(quotas, call.model, from)
    })
    .map(({ op }) => ({ rule: "no more wait than may", what: `${op} does` }))

const turnedAwayForCause: Check = (quotas) =>
  quotas.of("enter").flatMap(({ at, call, detail, end, from, op, to, until }) => {
    const wrong = (what: string) => [{ rule: "turned away for cause", what: `${op}: ${what}` }]
    const moved = end === "ok" && detail?.permit === undefined
    if (moved) {
      const closed = closedUntil(quotas, call.model, to) - at
      const isWorth = quotas.isShared || closed >= Math.min(worthMoving, call.maxRetryAfter)
      return call.movable && isWorth ? [] : wrong("moved")
    }
    if (end !== "fail") return []
    const isBetween = (one: { readonly from: number }) => from < one.from && one.from < to
    switch (detail?.reason) {
      case "aborted":
        return quotas.of("abort").some((one) => one.call.of === op && one.from < to) ? [] : wrong("not aborted")
      case "QueueTimeout":
        return until - at >= call.timeout - 1e-3 ? [] : wrong(`waited ${until - at} of ${call.timeout} ms`)
      case "RateLimited":
        return quotas.isShared || mayBeClosedUntil(quotas, call.model, to) - until > call.maxRetryAfter
          ? []
          : wrong("the gate is closed for less than it would wait")
      case "Authentication":
        return quotas.of("refuse").some(isBetween) ? [] : wrong("nobody was refused")
      case "Capacity":
        return quotas.isShared || (!call.again && isFull(quotas, call.model, from))
          ? []
          : wrong("there was room in the line")
      default:
        return wrong(`failed with ${detail?.reason}`)
    }
  })

/** When all is quiet no request waits that was aborted, is late, or meets a longer closed gate than it may. */
const nobodyOverstays: Check = (quotas) =>
  quotas.of("quiet").flatMap(({ at: now, from }) =>
    quotas.models.flatMap((model) =>
      waiting(quotas, model, from).flatMap(({ at, call, op }) => {
        const isAborted = quotas.of("abort").some((one) => one.call.of === op && one.from < from)
        const isLate = now - at > call.timeout + 1e-3
        const isHopeless = closedUntil(quotas, model, from) - now > call.maxRetryAfter
        return isAborted || isLate || isHopeless
          ? [{ rule: "no wakeup is lost", what: `${op} still waits at ${from}` }]
          : []
      })
    )
  )

const allSettle: Check = (quotas) =>
  quotas
    .of("enter")
    .filter(({ to }) => to === Infinity)
    .map(({ op }) => ({ rule: "all settle in the end", what: `${op} did not` }))

const checks: ReadonlyArray<Check> = [
  throughNoClosedGate,
  noLongerThanItMayBe,
  inOrder,
  turnedAwayForCause,
  nobodyOverstays,
  allSettle
]

export const checkTurns = (history: QuotaHistory): ReadonlyArray<Violation> => {
  const quotas = sorted(history)
  return checks.flatMap((check) => check(quotas))
}
