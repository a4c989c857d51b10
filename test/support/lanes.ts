/** A lane of a credential, and requests that go through it. */
import { TurnedAway } from "../../src/internal/quota/turnedAway.ts"
import * as Account from "../../src/internal/quota/credentialLimiter.ts"
import type { Waiting } from "../../src/internal/quota/waiter.ts"
import type { Demand, ModelLimiter } from "../../src/internal/quota/modelLimiter.ts"
import { type Limits, none } from "../../src/internal/quota/limits.ts"
import type { Permit } from "../../src/internal/quota/permit.ts"
import type { Shared } from "../../src/internal/quota/remote.ts"
import type { Ticker } from "../../src/internal/util/ticker.ts"

let arrivals = 0

export const demand = (tokens = 0): Demand => ({ order: ++arrivals, tokens: () => tokens })

export const patient: Waiting = {
  signal: undefined,
  maxRetryAfter: Infinity,
  timeout: Infinity,
  movable: false,
  again: false
}

export const accountOf = (ticker: Ticker, limits: Partial<Limits> = {}, shared?: Shared): Account.CredentialLimiter => {
  const account = Account.make(ticker, () => shared)
  account.join({ ...none, ...limits })
  return account
}

export const laneOf = (ticker: Ticker, limits: Partial<Limits> = {}, shared?: Shared): ModelLimiter =>
  accountOf(ticker, limits, shared).lane("m")

/** Takes a permit, as a request does: at once if it can be, else in line. */
export const enter = async (
  lane: ModelLimiter,
  asked: Demand = demand(),
  waiting: Waiting = patient
): Promise<Permit> => {
  const permit = lane.tryEnter(asked) ?? (await lane.enter(asked, waiting))
  if (permit === undefined) throw new Error("moved")
  return permit
}

export const answer = (permit: Permit, status: number, headers: Readonly<Record<string, string>> = {}): void => {
  permit.answered(status, Object.entries(headers))
  permit.leave()
}

/** The reason of a rejection, or "passed". */
export const reasonOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "passed",
    (error: unknown) => (error instanceof TurnedAway ? error.reason : error)
  )
