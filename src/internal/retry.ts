/**
 * The one retry policy, for every provider: whether, and after how many milliseconds.
 *
 * A request that the provider certainly never worked on may always be sent again. One that it may have worked on is
 * sent again only where it is `repeatable`, of which repeat.ts tells.
 */
import type { Deadline } from "./deadline.ts"
import type { RetryBudget } from "./quota/retryBudget.ts"
import * as RetryAfter from "./retryAfter.ts"
import type { WireError } from "./wire.ts"

/** The SDKs' own figures (openai `calculateDefaultRetryTimeoutMillis`): 0.5 s doubling up to 8 s. */
const FIRST_DELAY = 500
const LONGEST_DELAY = 8_000
/** What never reached the provider is sent again so often, and sooner, since nobody is tired of it. */
const RESENDS = 5
const FIRST_RESEND = 100

const retryableStatus = (status: number): boolean =>
  status === 408 || status === 409 || status === 429 || (status >= 500 && status <= 599)

/** Full jitter (AWS, "Exponential Backoff And Jitter"): anywhere between nothing and the exponential bound. */
const backoff = (first: number, attempt: number): number =>
  Math.random() * Math.min(LONGEST_DELAY, first * 2 ** (attempt - 1))

/** What an answer is judged by. */
export interface Answer {
  readonly status: number
  readonly headers: Pick<Headers, "get">
}

/** Milliseconds: what the provider asks for, and what we would wait ourselves. */
export interface Delay {
  readonly asked: number
  readonly backoff: number
}

/** How to wait for another attempt, `undefined` if there should be none. `attempt` counts those made. */
export const afterResponse = (
  answer: Answer,
  attempt: number,
  repeatable: boolean,
  maxRetryAfter: number
): Delay | undefined => {
  const advice = answer.headers.get("x-should-retry")
  if (advice === "false" || (advice !== "true" && !retryableStatus(answer.status))) return undefined
  // A 429 was turned away before any work; all else may have been worked on.
  if (answer.status !== 429 && !repeatable) return undefined
  const asked = RetryAfter.parse(answer.headers) ?? 0
  return asked > maxRetryAfter ? undefined : { asked, backoff: backoff(FIRST_DELAY, attempt) }
}

/** Whether another attempt may help, and does no harm: none after an answer has begun, of which some may have been read. */
export const afterError = (error: WireError, repeatable: boolean): boolean =>
  (error.reason === "Connection" || error.reason === "FileDescriptors" || error.reason === "Timeout") &&
  (error.processed === "no" || (error.processed === "maybe" && repeatable))

/**
 * The attempts of one request. What certainly never reached the provider costs nothing of `maxRetries`, also if that is 0,
 * nor of the budget, but is not sent for ever. A provider that is reached and fails gets no more than the budget of
 * retries that all holders of the credential have together; one that asks to wait is another matter: the quota sees to that.
 */
export class Retries {
  readonly #maxRetries: number
  readonly #maxRetryAfter: number
  readonly #deadline: Pick<Deadline, "left"> | undefined
  #made = 0
  #resent = 0
  #waited = 0

  constructor(maxRetries: number, maxRetryAfter: number, deadline?: Pick<Deadline, "left">) {
    this.#maxRetries = maxRetries
    this.#maxRetryAfter = maxRetryAfter
    this.#deadline = deadline
  }

  /** What would begin after the deadline is not waited for: the failure that is known says more than that it passed. */
  #isTooLate(delay: number): boolean {
    return this.#deadline !== undefined && delay >= this.#deadline.left()
  }

  /** `elsewhere`: the next may go to another credential, to which it doesn't matter how long this one asks to wait. */
  afterResponse(
    answer: Answer,
    repeatable: boolean,
    budget: Pick<RetryBudget, "take">,
    elsewhere = false
  ): Delay | undefined {
    if (this.#made >= this.#maxRetries) return undefined
    const delay = afterResponse(answer, this.#made + 1, repeatable, elsewhere ? Infinity : this.#maxRetryAfter)
    if (delay === undefined) return undefined
    if (this.#isTooLate(elsewhere ? delay.backoff : Math.max(delay.asked, delay.backoff))) return undefined
    if (answer.status !== 429 && !budget.take()) return undefined
    this.#made++
    return delay
  }

  /**
   * Whether to wait, `left` ms of `patience`, until a circuit lets somebody through. Nothing is sent meanwhile, so that costs
   * no retry and no budget; but who has waited as often as it may retry gives up.
   */
  afterCircuit(left: number, patience: number): boolean {
    if (this.#isTooLate(left)) return false
    return left <= Math.min(this.#maxRetryAfter, patience) && this.#waited++ < this.#maxRetries
  }

  afterError(error: WireError, repeatable: boolean, budget: Pick<RetryBudget, "take">): number | undefined {
    if (!afterError(error, repeatable)) return undefined
    const isFree = error.processed === "no"
    this.#resent += error.resent
    if (isFree ? this.#resent >= RESENDS : this.#made >= this.#maxRetries) return undefined
    const delay = isFree ? backoff(FIRST_RESEND, this.#resent + 1) : backoff(FIRST_DELAY, this.#made + 1)
    if (this.#isTooLate(delay)) return undefined
    if (isFree) {
      // Who never waits has somebody else to go to.
      if (delay > this.#maxRetryAfter) return undefined
      this.#resent++
    } else {
      if (!budget.take()) return undefined
      this.#made++
    }
    return delay
  }
}
