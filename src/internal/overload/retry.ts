/**
 * Decides after each failed attempt of one request whether another one follows, when, and at whose cost.
 *
 * Attempts that the provider certainly did not work on may always be repeated. Those that it may have worked on are
 * repeated only where that is `repeatable` (repeat.ts).
 */
import * as RetryAfter from "../wire/retryAfter.ts"
import type { WireError } from "../wire/errors.ts"

/** The SDKs' own backoff (openai, `calculateDefaultRetryTimeoutMillis`): 0.5 s doubling up to 8 s, less up to a quarter. */
const FIRST_DELAY_MS = 500
const LONGEST_DELAY_MS = 8_000
const JITTER = 0.25

/** A 500 may be the request's own fault: before others are held back for it, so many must have failed. */
const MIN_OWN_FAULT_FAILURES = 10

/** Lacking descriptors is trouble of this process, and soon over: it costs no retry. */
const DESCRIPTOR_RETRIES = 5
const DESCRIPTOR_DELAY_MS = 100

/**
 * Statuses of proxies and providers without a server to process the request: the last are Cloudflare's and Anthropic's.
 */
const ABSENT: ReadonlySet<number> = new Set([502, 503, 504, 521, 523, 529, 530])

/**
 * Kinds of failure.
 *
 * - `refused`: it never reached the provider.
 * - `status`: the provider answered that it failed.
 * - `rateLimited`: a 429.
 * - `lost`: the connection broke, and it may have been worked on.
 * - `late`: no answer in time, and it may have been worked on.
 * - `descriptors`: this process could open no socket.
 */
type Kind = "refused" | "status" | "rateLimited" | "lost" | "late" | "descriptors"

export interface Failure {
  readonly kind: Kind
  /** True if another attempt may help, and does no harm. */
  readonly isRetryable: boolean
  /** True if no server was there to process it, so that waiting is all that it takes. */
  readonly isAbsence: boolean
  /** Milliseconds that the provider asked to wait. */
  readonly asked: number
}

/** The parts of an answer that decide. */
export interface AnswerHead {
  readonly status: number
  readonly headers: Pick<Headers, "get">
}

const isRetryableStatus = (status: number): boolean =>
  status === 408 || status === 409 || status === 429 || (status >= 500 && status <= 599)

export const ofAnswer = ({ headers, status }: AnswerHead, repeatable: boolean): Failure => {
  const advice = headers.get("x-should-retry")
  const mayHelp = advice === "true" || (advice !== "false" && isRetryableStatus(status))
  return {
    kind: status === 429 ? "rateLimited" : "status",
    // A 429 was turned away before any work; all else may have been worked on.
    isRetryable: mayHelp && (status === 429 || repeatable),
    isAbsence: ABSENT.has(status),
    asked: RetryAfter.parse(headers) ?? 0
  }
}

const kindOf = ({ processed, reason }: WireError): Kind =>
  reason === "FileDescriptors" ? "descriptors" : processed === "no" ? "refused" : reason === "Timeout" ? "late" : "lost"

/** None follows after an answer has begun, of which some may have been read. */
export const ofError = (error: WireError, repeatable: boolean): Failure => {
  const { processed, reason } = error
  const kind = kindOf(error)
  return {
    kind,
    isRetryable:
      (reason === "Connection" || reason === "Timeout" || reason === "FileDescriptors") &&
      (processed === "no" || (processed === "maybe" && repeatable)),
    isAbsence: kind === "refused",
    asked: 0
  }
}

const backoff = (first: number, attempt: number, random: number): number =>
  Math.min(LONGEST_DELAY_MS, first * 2 ** (attempt - 1)) * (1 - random * JITTER)

/** Decision after a failed attempt. */
export type Next =
  /** Nothing. */
  | { readonly kind: "fail" }
  /** Another attempt, after so many ms; one that is charged needs a retry from the budget as well. */
  | { readonly kind: "retry"; readonly delay: number; readonly asked: number; readonly isCharged: boolean }
  /** It waits for the circuit that is open, after so many ms. */
  | { readonly kind: "wait"; readonly delay: number; readonly asked: number }

const FAIL: Next = { kind: "fail" }

/** The circumstances of a failure. */
export interface Circumstances {
  /** The attempt went to see whether the provider is back. */
  readonly isProbe: boolean
  /** Another attempt may go to another credential, to which it does not matter how long this one asks to wait. */
  readonly isElsewhere: boolean
  /** A closed gate holds the next attempt back by itself. */
  readonly isGated: boolean
  /** Nothing has got in that was sent since the first attempt failed. Opens the circuit if so, and there were `least` failures. */
  readonly isExhausted: (least: number) => boolean
  /** The connection was not lost together with others. */
  readonly isNewCause: () => boolean
  /** Milliseconds. */
  readonly deadlineLeft: number
  /** Milliseconds that the request may yet wait because of failures. */
  readonly patience: number
}

/** The retries of one request. */
export class Retries {
  readonly #maxRetries: number
  readonly #maxRetryAfter: number
  readonly #random: () => number
  #made = 0
  #lacked = 0

  /** `maxRetryAfter` is in milliseconds. */
  constructor(maxRetries: number, maxRetryAfter: number, random: () => number = Math.random) {
    this.#maxRetries = maxRetries
    this.#maxRetryAfter = maxRetryAfter
    this.#random = random
  }

  after(failure: Failure, circumstances: Circumstances): Next {
    const { asked, isRetryable, kind } = failure
    if (!isRetryable || this.#maxRetries === 0) return FAIL
    const { deadlineLeft, isElsewhere, patience } = circumstances
    if (asked > this.#maxRetryAfter && !isElsewhere) return FAIL
    const next = kind === "descriptors" ? this.#afterDescriptors() : this.#after(failure, circumstances)
    if (next.kind === "fail") return next
    // A wait that would end too late is not begun: the known failure is more useful than a timeout.
    return next.delay >= deadlineLeft || next.asked > patience ? FAIL : next
  }

  #after({ asked, isAbsence, kind }: Failure, circumstances: Circumstances): Next {
    const { isElsewhere, isExhausted, isGated, isNewCause, isProbe } = circumstances
    const own = isElsewhere || isGated ? 0 : asked
    // A probe is sent for all; only one that may have been worked on is a repetition.
    if (isProbe && kind !== "lost" && kind !== "late") return { kind: "wait", delay: own, asked: own }
    if (this.#made >= this.#maxRetries) {
      return isExhausted(isAbsence ? 1 : MIN_OWN_FAULT_FAILURES) && isAbsence
        ? { kind: "wait", delay: own, asked: own }
        : FAIL
    }
    this.#made++
    const delay = Math.max(own, backoff(FIRST_DELAY_MS, this.#made, this.#random()))
    const isCharged = kind === "rateLimited" ? !isGated : kind === "lost" || kind === "refused" ? isNewCause() : true
    return { kind: "retry", delay, asked: own, isCharged }
  }

  #afterDescriptors(): Next {
    if (this.#lacked >= DESCRIPTOR_RETRIES) return FAIL
    this.#lacked++
    const delay = backoff(DESCRIPTOR_DELAY_MS, this.#lacked, this.#random())
    return { kind: "retry", delay, asked: 0, isCharged: false }
  }
}
