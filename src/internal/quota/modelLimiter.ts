/**
 * The requests of one credential to one model: one line, first come first served, and what holds it up: the budget of
 * a minute, the concurrency, the gate that a Retry-After closes, and the gate of the whole credential. Who waits holds
 * nothing; who gives up costs nothing. Plain code: every request comes through here.
 */
import * as Recent from "../overload/recent.ts"
import { remaining, type Ticker } from "../util/ticker.ts"
import * as Adaptive from "./adaptive.ts"
import * as Advice from "./rateLimitHeaders.ts"
import { QuotaWaiter, type WaitTerms } from "./waiter.ts"
import { RetryAfterGate, PAUSE_MS } from "./retryAfterGate.ts"
import { type QuotaLimits, sameConcurrency } from "./limits.ts"
import { GatePair } from "./gatePair.ts"
import { ModelBudget } from "./modelBudget.ts"
import { isRefusal, type Issuer, Permit, type RawHeaders } from "./permit.ts"
import { Remote, type Shared } from "./remote.ts"
import { ShutWatch } from "./shutWatch.ts"
import { TurnedAway } from "./turnedAway.ts"
import { WaitingLine } from "./waitingLine.ts"

/** The parts of a request that a limiter reads. */
export interface LimiterDemand {
  /** Its place among all requests: who came first goes first, also when it has to come again. */
  readonly order: number
  /** Estimated cost in tokens; `meanOutput` is the mean output of recent responses. */
  readonly tokens: (meanOutput: number) => number
  /** Milliseconds that it waits at most for a gate to open. @default Infinity */
  readonly patience?: number | undefined
}

/** State that the limiters of a credential share: its gate, and when the provider last accepted its key. */
export interface Whole {
  readonly gate: RetryAfterGate
  readonly accepted: { at: number }
}

/** Milliseconds after which what was found out of a model that nobody uses is of no use any more: a guess of ours. */
const MEMORY_MS = 600_000

/** For a closed time of fewer milliseconds nobody moves: thousands may wait, and refusals come in hundreds. */
const MIN_MOVE_MS = 1_000

export class ModelLimiter implements Issuer {
  readonly #gates: GatePair
  readonly #accepted: { at: number }
  readonly #ticker: Ticker
  readonly #remote: Remote | undefined
  readonly #budget: ModelBudget
  readonly #line = new WaitingLine()
  #limits: QuotaLimits
  #adaptive: Adaptive.Adaptive | undefined
  #inFlight = 0
  /** Most in flight of late. */
  readonly #peak = Recent.make()
  readonly #rate = Recent.makeRate()
  /** When somebody went last. */
  #usedAt = -Infinity
  /** Until then something other than the pace held the first of the line, so nothing was saved up. */
  #heldTo = -Infinity
  /** End of the closed time for which movable waiters have been sent elsewhere. */
  #movedFor = -Infinity
  /** No waiter would wait less for a closed gate than this. */
  #leastPatience = Infinity
  readonly #shutWatch: ShutWatch
  #timer: { readonly at: number; readonly cancel: () => void } | undefined

  constructor(ticker: Ticker, credentialLimiter: Whole, shared: Shared | undefined, limits: QuotaLimits) {
    this.#ticker = ticker
    this.#accepted = credentialLimiter.accepted
    this.#remote = shared === undefined ? undefined : new Remote(shared, ticker)
    this.#budget = new ModelBudget(ticker.lateness, this.#remote, limits)
    this.#gates = new GatePair(new RetryAfterGate(ticker, this.pump, () => this.queued), credentialLimiter.gate)
    this.#shutWatch = new ShutWatch(ticker, {
      shutMs: (now) => this.#gates.shutMs(now),
      isShut: () => !this.#gates.isOpen,
      end: this.#endShut
    })
    this.#limits = limits
    this.limit(limits)
  }

  /** From now on these limits hold. */
  limit(limits: QuotaLimits): void {
    const { maxConcurrency } = limits
    if (typeof maxConcurrency === "number") this.#adaptive = undefined
    else if (this.#adaptive === undefined || !sameConcurrency(this.#limits.maxConcurrency, maxConcurrency)) {
      this.#adaptive = Adaptive.make(maxConcurrency)
    }
    this.#budget.limit(this.#ticker.now(), limits)
    this.gate.isPaced = this.#budget.isLimited
    this.#limits = limits
    this.#wake()
  }

  get gate(): RetryAfterGate {
    return this.#gates.model
  }

  get queued(): number {
    return this.#line.size
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get concurrency(): number {
    const { maxConcurrency } = this.#limits
    return typeof maxConcurrency === "number" ? maxConcurrency : this.#adaptive!.limit()
  }

  /** True if it knows nothing that a new one would not. */
  isIdle(now: number): boolean {
    const busy = this.#inFlight > 0 || this.queued > 0 || !this.gate.isOpen || this.#adaptive !== undefined
    return !busy && this.#budget.isRested(now)
  }

  /** True if nothing is lost with it: it is idle, or all that it knows is old. */
  isForgettable(now: number): boolean {
    if (this.isIdle(now)) return true
    const busy = this.#inFlight > 0 || this.queued > 0 || this.gate.closedFor(now) > 0
    return !busy && now - this.#usedAt > MEMORY_MS && this.#budget.isRested(now)
  }

  requestsLeft(now: number): number {
    return this.#budget.requestsLeft(now)
  }

  tokensLeft(now: number): number {
    return this.#budget.tokensLeft(now)
  }

  /** Milliseconds until one more would go, were all who wait ahead as costly; 0 for at once. */
  opensIn(demand: LimiterDemand): number {
    const now = this.#ticker.now()
    const cost = this.#budget.cost(demand)
    return this.#gates.closedFor(now) + this.#budget.wait(now, cost) + this.#budget.msOf(this.queued, cost)
  }

  /** Load relative to the concurrency: decides between limiters that open at the same time. */
  get load(): number {
    return (this.#inFlight + this.queued) / Math.min(this.concurrency, 1_000)
  }

  tryEnter(demand: LimiterDemand): Permit | undefined {
    if (this.queued > 0 || this.#inFlight >= this.concurrency) return undefined
    const now = this.#ticker.now()
    if (this.#remote?.isTrusted(now) === true) return undefined
    const cost = this.#budget.cost(demand)
    if (this.#budget.wait(now, cost) > 0 || this.#gates.room(now) < 1) return undefined
    return this.#depart(now, now, cost, false, demand.patience)
  }

  /** For how many ms its gates have not been open, all in all. */
  shutMs(now: number): number {
    return this.#gates.shutMs(now)
  }

  readonly #endShut = (shutMs: number): number => {
    let next = Infinity
    for (const entry of this.#line.all()) {
      // Timers are rounded.
      if (entry.shutUntil > shutMs + 1e-3) next = Math.min(next, entry.shutUntil)
      else {
        entry.fail(tooLong(this.#gates.closedFor(this.#ticker.now()), 0))
        this.#forget(entry)
      }
    }
    this.pump()
    return next
  }

  /** Milliseconds for which nobody may go. */
  closedFor(now: number): number {
    return this.#gates.closedFor(now)
  }

  /** Resolves without a permit if it is movable and had better look elsewhere. */
  enter(demand: LimiterDemand, waiting: WaitTerms): Promise<Permit | undefined> {
    const { again, maxRetryAfter, signal } = waiting
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const now = this.#ticker.now()
      const closed = this.#gates.claimedFor(now)
      if (closed > maxRetryAfter) return reject(tooLong(closed, maxRetryAfter))
      const { maxWaiters } = this.#limits
      if (!again && this.queued >= maxWaiters) return reject(tooManyWaiters(this.queued, maxWaiters))
      this.#leastPatience = Math.min(this.#leastPatience, maxRetryAfter)
      const shutMs = this.#gates.shutMs(now)
      const wait = { demand, cost: this.#budget.cost(demand), waiting, shutMs }
      this.#line.queue.insert(new QuotaWaiter(wait, this.#ticker, { resolve, reject, gaveUp: this.#gaveUp }))
      this.#shutWatch.add(shutMs + (waiting.refusedPatience ?? Infinity))
      this.pump()
    })
  }

  readonly #gaveUp = (entry: QuotaWaiter): void => {
    this.#forget(entry)
    this.pump()
  }

  /** It has left the line. */
  #forget(entry: QuotaWaiter): void {
    if (this.#line.remove(entry)) this.#budget.giveBack(entry.cost)
  }

  /** Somebody was refused. */
  #refused(now: number, ms: number, { patience, sentAt }: Permit): void {
    this.#shut(now, ms, patience, sentAt)
    // Beyond what anybody waits it is doubted.
    if (ms <= patience) this.#remote?.close(ms)
    this.#closed(now)
  }

  #shut(now: number, ms: number, patience: number, sentAt: number): void {
    const [usual, rate] = [Recent.max(this.#peak, now), Recent.perSecond(this.#rate, now)]
    this.gate.close(now, { ms, patience, sentAt, usual, rate })
    this.#shutWatch.look()
  }

  /** Nothing remains. */
  #spent(now: number, ms: number): void {
    this.gate.pause(now, ms, this.#inFlight)
    if (ms > PAUSE_MS) this.#remote?.close(ms)
    this.#closed(now)
  }

  /** Another process was refused. */
  #told(now: number, ms: number): void {
    this.#shut(now, ms, Infinity, now)
    this.#closed(now)
  }

  /** Fails waiters that would wait for too long; movable ones are sent elsewhere. */
  #closed(now: number): void {
    const closed = this.#gates.claimedFor(now)
    const moves = now + closed - Math.max(now, this.#movedFor) >= MIN_MOVE_MS
    if (moves) this.#movedFor = now + closed
    if (moves || closed > this.#leastPatience) {
      this.#leastPatience = Infinity
      for (const entry of this.#line.all()) {
        if (closed <= entry.maxRetryAfter && !(moves && entry.movable)) {
          this.#leastPatience = Math.min(this.#leastPatience, entry.maxRetryAfter)
          continue
        }
        if (entry.movable) entry.go(undefined)
        else entry.fail(tooLong(closed, entry.maxRetryAfter))
        this.#forget(entry)
      }
    }
    this.pump()
  }

  /** All who wait fail. */
  turnAway(error: () => Error): void {
    for (const entry of this.#line.all()) {
      entry.fail(error())
      this.#forget(entry)
    }
    this.pump()
  }

  answered(permit: Permit, status: number, headers: RawHeaders): void {
    const now = this.#ticker.now()
    if (status < 400) {
      this.#accepted.at = now
      if (!this.gate.isOpen) this.gate.answered(permit.sentAt)
    }
    const { closed = 0 } = Advice.read(status, headers, this.#ticker.date())
    if (closed > 0) {
      // A success closes the gate for no longer than its request would wait: beyond that the first refusal decides.
      if (!isRefusal(status)) {
        if (closed <= permit.patience) this.#spent(now, closed)
      }
      // A proxy's 503 may speak of one backend of many, or of too many requests at once: it asks whom it answers.
      else if (status === 429) this.#refused(now, closed, permit)
    }
    if (status < 400 && this.#budget.limitsTokens) this.#follow(permit, headers, now)
    if (this.#adaptive === undefined) return
    if (isRefusal(status)) this.#adaptive.refused(now, permit.sentAt, permit.inFlight)
    // Other errors say nothing of load: they come at once.
    else if (status < 400) this.#adaptive.answered(now, permit.sentAt, permit.inFlight)
    this.pump()
  }

  /** Takes what the provider has counted and we have not; never gives anything back. */
  #follow(permit: Permit, headers: RawHeaders, now: number): void {
    const theirs = Advice.tokensLeft(headers, this.#ticker.date())
    if (theirs === undefined) return
    const over = this.#budget.overdraft(now, theirs, this.#inFlight * permit.tokens)
    if (over > 0) this.#correct(permit, 0, over)
  }

  settle(permit: Permit, tokens: number, output: number | undefined): void {
    if (output !== undefined) this.#budget.learn(output)
    this.#correct(permit, 0, tokens - permit.tokens)
  }

  charge(permit: Permit, tokens: number): void {
    this.#correct(permit, 0, tokens)
  }

  refund(permit: Permit): void {
    this.#correct(permit, -1, -permit.tokens)
  }

  closings(): number {
    return this.#gates.closings
  }

  leave(): void {
    this.#inFlight--
    this.pump()
  }

  /** Lets all go whose turn it is, and sets a timer for the next. */
  readonly pump = (): void => {
    if (this.#line.turns.size > 0) this.#departByTurn(this.#ticker.now())
    for (;;) {
      const head = this.#line.queue.peek()
      const now = this.#ticker.now()
      if (head === undefined) {
        if (this.#line.turns.size > 0) return
        if (this.#line.asked.length === 0) this.gate.rest(now)
        this.#shutWatch.stop()
        return this.#disarm()
      }
      // Nobody overtakes those who are asked for, not even if the shared budget has gone away meanwhile.
      if (this.#line.asked.length > 0) return
      if (this.#line.turns.size > 0 && this.#remote?.isTrusted(now) === false) return
      const closed = this.#gates.closedFor(now)
      if (closed > 0 || this.#inFlight >= this.concurrency || this.#gates.room(now) < 1) this.#heldTo = now + closed
      if (this.#inFlight >= this.concurrency) return
      if (this.#remote?.isTrusted(now) === true) return this.#ask(this.#remote, now)
      head.cost = this.#budget.cost(head.demand)
      const wait = Math.max(closed, this.#budget.wait(now, head.cost))
      if (wait > 0) return this.#arm(now, wait)
      if (this.#gates.room(now) < 1) return this.#arm(now, this.#gates.growsIn(now))
      this.#line.queue.shift()
      head.go(this.#depart(now, head.since, head.cost, false, head.patience))
    }
  }

  /** Lets those go whose turn has come. Whoever may not go any more gives the turn back, and waits on. */
  #departByTurn(now: number): void {
    while (
      remaining(this.#line.turns.next - now) === 0 ||
      (this.#line.turns.size > 0 && this.#gates.closedFor(now) > 0)
    ) {
      const entry = this.#line.turns.shift()!
      if (this.#hasRoom(now)) entry.go(this.#depart(now, entry.since, entry.cost, true))
      else {
        this.#budget.giveBack(entry.cost)
        this.#line.queue.insert(entry)
      }
    }
    if (this.#line.turns.size > 0) this.#arm(now, this.#line.turns.next - now)
  }

  /** Asks a shared budget for those who wait, as many at once as may go. */
  #ask(remote: Remote, now: number): void {
    const wait = Math.max(this.#gates.closedFor(now), remote.wait(now))
    if (wait > 0) return this.#arm(now, wait)
    const most = Math.min(this.concurrency - this.#inFlight, this.#gates.room(now)) - this.#line.turns.size
    const batch: Array<QuotaWaiter> = []
    let ms = 0
    for (let head = this.#line.queue.peek(); head !== undefined; head = this.#line.queue.peek()) {
      if (batch.length >= most || !remote.reaches(batch.length, ms)) break
      this.#line.queue.shift()
      head.cost = this.#budget.cost(head.demand)
      batch.push(head)
      ms += this.#budget.msOf(1, head.cost)
    }
    const [first] = batch
    if (first === undefined) return this.#arm(now, this.#gates.growsIn(now))
    this.#line.asked = batch
    const costs = batch.map((entry) => entry.cost)
    const isAll = this.#line.queue.size === 0
    void remote.reserve(costs, this.#limits, Math.max(first.since, this.#heldTo), isAll).then((grant) => {
      this.#line.asked = []
      const now = this.#ticker.now()
      batch.forEach((entry, index) => {
        const isTaken = index < (grant?.taken ?? 0)
        // A gate may have closed, or a limit fallen, while the answer was on its way.
        if (isTaken && entry.isQueued() && this.#hasRoom(now)) {
          const after = grant?.after?.[index] ?? 0
          if (after > 0) return this.#line.turns.add(entry, now + after)
          return entry.go(this.#depart(now, entry.since, entry.cost, true, entry.patience))
        }
        if (isTaken) this.#budget.giveBack(entry.cost)
        if (entry.isQueued()) this.#line.queue.insert(entry)
      })
      // A refusal that another process met: the store knows of it already.
      if (grant !== undefined && grant.closed > this.gate.closedFor(now)) this.#told(now, grant.closed)
      else this.pump()
    })
  }

  /** True if all but the budget allows one more. */
  #hasRoom(now: number): boolean {
    return this.#inFlight < this.concurrency && this.#gates.closedFor(now) === 0 && this.#gates.room(now) >= 1
  }

  #depart(now: number, since: number, cost: number, shared: boolean, patience = Infinity): Permit {
    this.#inFlight++
    Recent.note(this.#peak, now, this.#inFlight)
    Recent.countOne(this.#rate, now)
    this.#usedAt = now
    const ready = Math.max(since, this.#heldTo)
    this.#budget.take(now, ready, cost)
    const trials = this.#gates.trials()
    return new Permit(this, { sentAt: now, inFlight: this.#inFlight, tokens: cost, shared, patience, trials })
  }

  #correct(permit: Permit, requests: number, tokens: number): void {
    this.#budget.correct(this.#ticker.now(), permit, requests, tokens)
    if (this.#line.queue.size > 0) this.#wake()
  }

  #wake(): void {
    this.#disarm()
    this.pump()
  }

  #arm(now: number, ms: number): void {
    if (ms === Infinity) return
    const at = now + ms
    if (this.#timer !== undefined && this.#timer.at <= at) return
    this.#disarm()
    const cancel = this.#ticker.after(ms, () => {
      this.#timer = undefined
      this.pump()
    })
    this.#timer = { at, cancel }
  }

  #disarm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}

/** Error for one more request where `queued` wait already. */
export const tooManyWaiters = (queued: number, maxWaiters: number): TurnedAway =>
  new TurnedAway(
    "Capacity",
    `${queued} requests wait for the quota of this credential and model, which is all that quota.maxWaiters ` +
      `(${maxWaiters}) allows; this one was not sent. Start fewer agents at once, or raise the bound`
  )

const tooLong = (closed: number, maxRetryAfter: number): TurnedAway =>
  new TurnedAway(
    "RateLimited",
    `the provider's rate limit holds back this credential for another ${(closed / 1000).toFixed(1)} s, ` +
      `more than maxRetryAfter or the deadline allows (${(maxRetryAfter / 1000).toFixed(1)} s); the request was not sent`,
    closed
  )
