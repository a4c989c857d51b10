/**
 * The retry budget of a lane, a token bucket as Finagle's `RetryBudget`: answers deposit, retries withdraw, and time
 * adds a floor. A retry that finds it empty waits; nothing fails for it.
 *
 * Finagle deposits a fifth of a retry for each request and gRPC a tenth for each success (gRFC A6), which binds as soon
 * as a sixth, or a tenth, of the attempts fail: then agents that could have been answered are turned away. Seven for
 * each answer bind only where more than seven attempts fail for each that succeeds, above p = 0.875, and with the
 * retries that SDKs make by default (2) never up to p = 0.9: there, of 100 first attempts, 10 are answered at once and
 * pay for 70 retries, and the retries' own answers for the rest. A provider that answers nothing gets the floor.
 */

/** Retries that may be made before any answer is known, or as many as are in flight at the first of them. */
const INITIAL_RETRIES = 100

/** Retries that an answer pays for. */
const RETRIES_PER_ANSWER = 7

/** Finagle's `minRetriesPerSec`. */
export const RETRIES_PER_SECOND = 10

/** Connections that break within so many ms have one cause, and are charged once. */
const ONE_CAUSE_MS = 100

export interface Budget {
  tokens: number
  paidAt: number
  lostAt: number
}

export const make = (): Budget => ({ tokens: INITIAL_RETRIES, paidAt: -Infinity, lostAt: -Infinity })

/** `usual`: requests in flight of late. What all of them may need at once is kept, twice over. */
const most = (usual: number): number => Math.max(INITIAL_RETRIES, 2 * usual)

const income = (budget: Budget, now: number, perSecond: number, usual: number): void => {
  const isFirst = budget.paidAt === -Infinity
  const ms = isFirst ? 0 : now - budget.paidAt
  budget.paidAt = now
  if (isFirst) budget.tokens = Math.max(budget.tokens, usual)
  if (ms > 0) budget.tokens = Math.min(Math.max(budget.tokens, most(usual)), budget.tokens + (ms / 1_000) * perSecond)
}

export const answered = (budget: Budget, usual: number): void => {
  if (budget.tokens < most(usual)) budget.tokens = Math.min(most(usual), budget.tokens + RETRIES_PER_ANSWER)
}

/** Withdraws a retry if there is one. */
export const take = (budget: Budget, now: number, perSecond: number, usual: number): boolean => {
  if (perSecond === Infinity) return true
  income(budget, now, perSecond, usual)
  if (budget.tokens < 1) return false
  budget.tokens--
  return true
}

/** Milliseconds until the floor alone pays for a retry. */
export const wait = (budget: Budget, perSecond: number): number =>
  budget.tokens >= 1 ? 0 : ((1 - budget.tokens) / perSecond) * 1_000

/** True for a connection that is lost by itself, and so is charged for. */
export const isNewCause = (budget: Budget, now: number): boolean => {
  if (now - budget.lostAt < ONE_CAUSE_MS) return false
  budget.lostAt = now
  return true
}

/** True if it allows no less than a new one. */
export const isRested = ({ tokens }: Budget): boolean => tokens >= INITIAL_RETRIES
