/**
 * Whether it is worth asking what fails. Closed, it counts failures in a row; when there are enough it opens, and nobody
 * goes; after the cooldown one goes as a probe, and one more with each further cooldown that brings no verdict. Any success
 * closes it.
 *
 * What fails together has one cause, and says no more than the first of it: a failure counts if its attempt was sent
 * after the last one that counted, so that a balancer which drops a thousand connections at once is one failure. Only
 * those that had waited until their time was up count each: all that while nothing was answered. The attempts of one
 * request count once, since it may be the request that is at fault.
 *
 * A machine and nothing else: it is told what happens and when, by whatever clock.
 */

/** Orders what is sent and what fails; all circuits of a pool have the same one. */
export interface Turns {
  now: number
}

export interface Limits {
  /** Failures in a row that open it. */
  readonly failures: number
  /** Milliseconds. */
  readonly cooldown: number
}

export interface Failure {
  /** The turn in which the attempt was sent. */
  readonly sent: number
  /** The same for all attempts of one request. */
  readonly request: object
  /** The same for all that failed of it. */
  readonly error: object | undefined
  /** Whether it was given up after its full time, rather than told. */
  readonly late: boolean
}

export type Verdict = "ignored" | "counted" | "opened" | "reopened"

export class Circuit {
  readonly #limits: Limits
  readonly #turns: Turns
  #streak = 0
  /** Requests and errors of this streak. */
  #seen = new WeakSet<object>()
  /** What was sent before says nothing new. */
  #since = 0
  /** When the next may go; `undefined` while it is closed. */
  #until: number | undefined
  #probing = false

  constructor(limits: Limits, turns: Turns) {
    this.#limits = limits
    this.#turns = turns
  }

  get isOpen(): boolean {
    return this.#until !== undefined
  }

  /** Whether there is nothing to remember. */
  get isQuiet(): boolean {
    return this.#until === undefined && this.#streak === 0
  }

  /** Milliseconds until somebody may go, 0 if that is now. */
  left(now: number): number {
    return this.#until === undefined ? 0 : Math.max(0, this.#until - now)
  }

  /** For how many milliseconds somebody might have gone already. */
  overdue(now: number): number {
    return this.#until === undefined ? 0 : Math.max(0, now - this.#until)
  }

  /** While it is open: somebody goes. The result takes that back, should it end without a verdict. */
  probe(now: number): (now: number) => void {
    const turn = (this.#since = ++this.#turns.now)
    this.#until = now + this.#limits.cooldown
    this.#probing = true
    return (later) => {
      if (!this.#probing || this.#since !== turn) return
      this.#probing = false
      this.#until = later
    }
  }

  failed({ error, late, request, sent }: Failure, now: number): Verdict {
    if (this.#until !== undefined) {
      if (!this.#probing || sent < this.#since) return "ignored"
      this.#probing = false
      this.#until = now + this.#limits.cooldown
      return "reopened"
    }
    if (this.#seen.has(request) || (error !== undefined && this.#seen.has(error))) return "ignored"
    if (!late && sent < this.#since) return "ignored"
    this.#seen.add(request)
    if (error !== undefined) this.#seen.add(error)
    this.#since = ++this.#turns.now
    if (++this.#streak < this.#limits.failures) return "counted"
    this.#until = now + this.#limits.cooldown
    return "opened"
  }

  /** Returns whether that closed it. */
  succeeded(): boolean {
    if (this.isQuiet) return false
    const wasOpen = this.isOpen
    this.#streak = 0
    this.#seen = new WeakSet()
    this.#until = undefined
    this.#probing = false
    return wasOpen
  }
}
