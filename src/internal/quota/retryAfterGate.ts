/**
 * The gate that a provider's Retry-After closes, for all at once. When it has passed a probe is sent; once that is let
 * in the others follow by the overload policy (overload/recovery.ts): half of what was in flight before the first
 * refusal, doubling by time. Otherwise all waiting requests would go in the same moment, and be refused together again.
 */
import * as Policy from "../overload/policy.ts"
import * as Recent from "../overload/recent.ts"
import * as Recovery from "../overload/recovery.ts"
import { remaining, type Ticker } from "../util/ticker.ts"

/** For this many ms or fewer nothing has to be tried out: see `pause`. */
export const PAUSE_MS = 1_000

/** The pause before another probe is at least this, and grows with each that is refused. */
const PROBE_PAUSE_MS = 250
const PROBE_PAUSE_GROWTH = 1.6
const LONGEST_PROBE_PAUSE_MS = 1_000

/** A wait beyond all patience is doubted: a probe goes after this, and after twice as much each time. */
const DOUBT_MS = 1_000
/** Probes that agree with it are believed. */
const WITNESSES = 2

/** A request on its way through a gate that is not fully open. Each end of it counts once. */
export interface Trial {
  /** It goes onto the wire: from now on it may be refused. */
  readonly sent: () => void
  readonly passed: () => void
  /** Turned away, or closed again. */
  readonly refused: () => void
  /** Failed by the server, which is no evidence of a limit. */
  readonly failed: () => void
  /** It never came to an answer, so it is no evidence. */
  readonly dropped: () => void
}

/** A refusal: the provider's Retry-After, and its scope. */
export interface Refusal {
  /** Milliseconds. */
  readonly ms: number
  /** Milliseconds that the refused request would wait at most. */
  readonly patience: number
  readonly sentAt: number
  /** Most requests in flight of late, and most sent in a second. */
  readonly usual: number
  readonly rate: number
}

type Mode = "open" | "probing" | "recovering"

export class RetryAfterGate {
  /** True if requests are also held to a pace. */
  isPaced = false
  readonly #ticker: Ticker
  readonly #changed: () => void
  readonly #waiting: () => number
  #mode: Mode = "open"
  /** Before this no request is sent. */
  #until = -Infinity
  readonly #recovery = Recovery.make()
  readonly #refusals = Recent.make()
  /** Passing, and not known to be let in. */
  #out = 0
  #refusedSince = false
  /** It is the key that is refused, not the number of requests. */
  #isBarred = false
  /** Counts closings: the concurrency before the last one does not describe the time since. */
  #round = 0
  /**
   * Time until which the provider claims to be closed, if that is longer than any request waits, and the probes that
   * got the same.
   */
  #claim = -Infinity
  #doubts = 0
  #pause = PROBE_PAUSE_MS
  #doubtedAt = -Infinity
  #doubtedSentAt = Infinity
  /** Since when it is not open, and for how many ms it was not before. */
  #shutAt = 0
  #shutMs = 0

  /**
   * `changed` is called when a held request may go, unless only time had to pass; `waiting` returns the number of
   * waiting requests.
   */
  constructor(ticker: Ticker, changed: () => void, waiting: () => number = () => 0) {
    this.#ticker = ticker
    this.#changed = changed
    this.#waiting = waiting
  }

  /** A refusal: no request goes for so long, and longer if it was closed for longer. */
  close(now: number, { ms, patience, rate, sentAt, usual }: Refusal): void {
    if (sentAt <= now) Recent.note(this.#refusals, now, now - sentAt)
    const wasLetIn = this.#mode === "recovering" && sentAt >= this.#recovery.startedAt
    if (wasLetIn && !this.isPaced) {
      this.#recovery.threshold = Math.max(1, Math.floor(this.#recovery.allowance / 2))
    } else if (this.#mode === "open") {
      Recovery.note(this.#recovery, usual, rate)
    }
    const wasProbe = this.#mode === "probing" && sentAt >= this.#until
    this.#shut("probing")
    const least = wasProbe ? this.#probePause() : 0
    this.#until = Math.max(this.#until, now + least, now + (ms > patience ? this.#doubt(now, ms, sentAt) : ms))
  }

  /** Pause before the next probe, longer each time: a short Retry-After must not let probes go all the time. */
  #probePause(): number {
    const pause = this.#pause
    this.#pause = Math.min(LONGEST_PROBE_PAUSE_MS, pause * PROBE_PAUSE_GROWTH)
    return pause
  }

  /**
   * The provider refuses all for longer than any request waits: a daily limit, or nonsense. Probes find out. Returns
   * the milliseconds until the next.
   */
  #doubt(now: number, ms: number, sentAt: number): number {
    // Refusals of one burst are one witness: only what was sent since is another.
    if (this.#claim > now && sentAt < this.#doubtedAt) return 0
    this.#doubtedAt = now
    this.#doubtedSentAt = sentAt
    this.#doubts = this.#claim > now ? this.#doubts + 1 : 0
    this.#claim = Math.max(this.#claim, now + ms)
    return Math.min(ms, DOUBT_MS * 2 ** this.#doubts)
  }

  /** An answer to what was sent after a request that was asked to wait beyond all patience refutes that. */
  answered(sentAt: number): void {
    if (this.#mode !== "probing" || this.#claim === -Infinity || this.#doubts > 0) return
    if (sentAt < this.#doubtedSentAt) return
    this.#claim = -Infinity
    this.#until = -Infinity
    this.#opens()
    this.#changed()
  }

  /** The key or the account is refused: one at a time goes until one is let in. */
  bar(now: number): void {
    Recovery.note(this.#recovery, 1, Infinity)
    this.#shut("probing")
    this.#isBarred = true
    this.#until = Math.max(this.#until, now)
  }

  /**
   * Nothing remains, though no request was refused. A short one is a pause, after which as many may be in flight as
   * were let in before; after a longer one the first is a probe again.
   */
  pause(now: number, ms: number, inFlight: number): void {
    if (this.#mode === "open") {
      const wereIn = Math.max(1, inFlight)
      Recovery.note(this.#recovery, 2 * wereIn, Infinity)
      if (ms <= PAUSE_MS) {
        this.#shut("recovering")
        Recovery.start(this.#recovery, now + ms, wereIn, 0)
      }
    }
    if (ms > PAUSE_MS) this.#shut("probing")
    this.#until = Math.max(this.#until, now + ms)
  }

  #shut(mode: Mode): void {
    if (this.#mode === "open") this.#shutAt = this.#ticker.now()
    this.#mode = mode
    this.#round++
    this.#out = 0
    this.#refusedSince = false
  }

  /** Closings so far. */
  get closings(): number {
    return this.#round
  }

  get isOpen(): boolean {
    return this.#mode === "open"
  }

  /** Milliseconds for which it stays closed, 0 if it isn't. */
  closedFor(now: number): number {
    return this.#mode === "open" ? 0 : remaining(this.#until - now)
  }

  /** Milliseconds for which the provider claims to be closed, once enough probes got the same. */
  claimedFor(now: number): number {
    return this.#mode === "probing" && this.#doubts >= WITNESSES ? remaining(this.#claim - now) : 0
  }

  /** For how many ms it has not been open, all in all. */
  shutMs(now: number): number {
    return this.#shutMs + (this.#mode === "open" ? 0 : now - this.#shutAt)
  }

  /** Requests that may go now. */
  room(now: number): number {
    if (this.#mode === "open") return Infinity
    if (this.closedFor(now) > 0) return 0
    if (this.#mode === "probing") return Math.max(0, 1 - this.#out)
    Recovery.grow(this.#recovery, now, this.#out + (this.#isBarred ? 0 : this.#waiting()), this.#isFailing)
    const isOver = Recovery.isOver(this.#recovery) && this.#waiting() <= this.#recovery.tokens
    if (isOver) this.#opens()
    return isOver ? Infinity : Math.max(0, Recovery.room(this.#recovery, this.#out))
  }

  /** True if a request was refused since the last call. */
  readonly #isFailing = (): boolean => {
    const was = this.#refusedSince
    this.#refusedSince = false
    return was
  }

  /** Milliseconds until more may go, if none of those in flight ends; `Infinity` if that depends on them. */
  growsIn(now: number): number {
    if (this.#mode !== "recovering") return Infinity
    return Math.max(1, Recovery.nextAt(this.#recovery, now, this.#out) - now)
  }

  /** To be asked of each that goes while it is not open. */
  trial(): Trial {
    this.#out++
    if (this.#mode === "recovering") Recovery.take(this.#recovery)
    const round = this.#round
    let over = false
    const end = (settle: () => void) => (): void => {
      if (over) return
      over = true
      cancel?.()
      if (round !== this.#round) return
      if (this.#out > 0) this.#out--
      settle()
      this.#changed()
    }
    let cancel: (() => void) | undefined
    return {
      sent: () => {
        if (over) return
        cancel?.()
        cancel = this.#ticker.after(Policy.letInAfterMs(this.#refusals, this.#ticker.now()), () => {
          if (over || round !== this.#round) return
          this.#letIn()
          this.#changed()
        })
      },
      passed: end(this.#passed),
      refused: end(() => {
        this.#refusedSince = true
        this.#pauseProbes()
      }),
      failed: end(this.#pauseProbes),
      dropped: end(() => undefined)
    }
  }

  /** Spaces probes that did not get in. Such an answer is no evidence about a key. */
  readonly #pauseProbes = (): void => {
    if (this.#mode !== "probing" || this.#isBarred) return
    this.#until = Math.max(this.#until, this.#ticker.now() + this.#probePause())
  }

  /** A request was answered, which refutes a claim. */
  readonly #passed = (): void => {
    this.#claim = -Infinity
    this.#doubts = 0
    this.#pause = PROBE_PAUSE_MS
    this.#letIn()
  }

  /** A request got in, or seems so: a refusal that takes longer than usual may still come. */
  readonly #letIn = (): void => {
    if (this.#mode !== "probing") return
    this.#mode = "recovering"
    Recovery.start(this.#recovery, this.#ticker.now(), 1, this.#isBarred ? 0 : this.#waiting())
    if (Recovery.isOver(this.#recovery) && this.#isBarred) this.#opens()
  }

  #opens(): void {
    if (this.#mode !== "open") this.#shutMs += this.#ticker.now() - this.#shutAt
    this.#mode = "open"
    this.#isBarred = false
    this.#out = 0
  }

  /** No request waits any more: it is open once the last answer is in. */
  rest(now: number): void {
    if (this.#mode !== "recovering" || this.#out > 0 || this.closedFor(now) > 0) return
    this.#opens()
  }
}
