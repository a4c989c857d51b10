/**
 * The requests of one credential to one model: one line, first come first served, and what holds it up: the budget of
 * a minute, the concurrency, the gate that a Retry-After closes, and the gate of the whole credential. Who waits holds
 * nothing; who gives up costs nothing. Plain code: every request comes through here.
 */
import { RequestQueue } from "../util/waitQueue.ts"
import * as Recent from "../overload/recent.ts"
import { remaining, type Ticker } from "../util/ticker.ts"
import * as Adaptive from "./adaptive.ts"
import * as Advice from "./rateLimitHeaders.ts"
import { QuotaWaiter, type Waiting } from "./waiter.ts"
import { RetryAfterGate, PAUSE_MS } from "./retryAfterGate.ts"
import { type Limits, sameConcurrency } from "./limits.ts"
import { overdraft } from "./overdraft.ts"
import { Gcra } from "./gcra.ts"
import { isRefusal, type Issuer, Permit, type RawHeaders } from "./permit.ts"
import { Remote, type Shared } from "./remote.ts"
import { ShutWatch } from "./shutWatch.ts"
import { TurnedAway } from "./turnedAway.ts"
import { Turns } from "./turns.ts"

/** The parts of a request that a limiter reads. */
export interface Demand {
  /** Its place among all requests: who came first goes first, also when it has to come again. */
  readonly order: number
  /** Estimated cost in tokens; `meanOutput` is the mean output of recent responses. */
  readonly tokens: (meanOutput: number) => number
  /** Milliseconds that it waits at most for a gate to open. @default Infinity */
  readonly patience?: number | undefined
}

/** State that the lanes of a credential share: its gate, and when the provider last accepted its key. */
export interface Whole {
  readonly gate: RetryAfterGate
  readonly accepted: { at: number }
}

/** Tokens of an answer before any has been seen, and the weight of a new one in their mean. */
const FIRST_OUTPUT = 256
const WEIGHT = 0.1

/** Milliseconds after which what was found out of a model that nobody uses is of no use any more: a guess of ours. */
const MEMORY = 600_000

/** For a closed time of fewer milliseconds nobody moves: thousands may wait, and refusals come in hundreds. */
const WORTH_MOVING = 1_000

export class ModelLimiter implements Issuer {
  readonly gate: RetryAfterGate
  readonly #account: RetryAfterGate
  readonly #accepted: { at: number }
  readonly #ticker: Ticker
  readonly #remote: Remote | undefined
  readonly #requests: Gcra
  readonly #tokens: Gcra
  readonly #queue = new RequestQueue<QuotaWaiter>()
  #limits: Limits
  #adaptive: Adaptive.Adaptive | undefined
  #inFlight = 0
  /** Most in flight of late. */
  readonly #peak = Recent.make()
  readonly #rate = Recent.makeRate()
  /** When somebody went last. */
  #usedAt = -Infinity
  #meanOutput = FIRST_OUTPUT
  /** Until then something other than the pace held the first of the line, so nothing was saved up. */
  #heldTo = -Infinity
  /** End of the closed time for which movable waiters have been sent elsewhere. */
  #movedFor = -Infinity
  /** No waiter would wait less for a closed gate than this. */
  #leastPatience = Infinity
  readonly #shutWatch: ShutWatch
  #timer: { readonly at: number; readonly cancel: () => void } | undefined
  /** Waiters for which a shared budget is being asked. They are not in the queue meanwhile. */
  #asked: ReadonlyArray<QuotaWaiter> = []
  /** Waiters for which a shared budget has been taken ahead of their time. They are not in the queue either. */
  readonly #turns = new Turns<QuotaWaiter>()

  constructor(ticker: Ticker, account: Whole, shared: Shared | undefined, limits: Limits) {
    this.#ticker = ticker
    this.#account = account.gate
    this.#accepted = account.accepted
    this.#remote = shared === undefined ? undefined : new Remote(shared, ticker)
    this.gate = new RetryAfterGate(ticker, this.pump, () => this.queued)
    this.#requests = new Gcra(ticker.lateness)
    this.#tokens = new Gcra(ticker.lateness)
    this.#shutWatch = new ShutWatch(ticker, {
      shutMs: (now) => this.shutMs(now),
      isShut: () => !this.gate.isOpen || !this.#account.isOpen,
      end: this.#endShut
    })
    this.#limits = limits
    this.limit(limits)
  }

  /** From now on these limits hold. */
  limit(limits: Limits): void {
    const { burst, maxConcurrency, requestsPerMinute, tokensPerMinute } = limits
    if (typeof maxConcurrency === "number") this.#adaptive = undefined
    else if (this.#adaptive === undefined || !sameConcurrency(this.#limits.maxConcurrency, maxConcurrency)) {
      this.#adaptive = Adaptive.make(maxConcurrency)
    }
    const now = this.#ticker.now()
    this.#requests.limit(now, requestsPerMinute, burst)
    this.#tokens.limit(now, tokensPerMinute, burst)
    this.gate.isPaced = this.#requests.isLimited || this.#tokens.isLimited
    this.#limits = limits
    this.#remote?.renew()
    this.#wake()
  }

  get queued(): number {
    return this.#queue.size + this.#asked.length + this.#turns.size
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
    return !busy && this.#requests.isRested(now) && this.#tokens.isRested(now)
  }

  /** True if nothing is lost with it: it is idle, or all that it knows is old. */
  isForgettable(now: number): boolean {
    if (this.isIdle(now)) return true
    const busy = this.#inFlight > 0 || this.queued > 0 || this.gate.closedFor(now) > 0
    return !busy && now - this.#usedAt > MEMORY && this.#requests.isRested(now) && this.#tokens.isRested(now)
  }

  requestsLeft(now: number): number {
    return this.#requests.left(now)
  }

  tokensLeft(now: number): number {
    return this.#remote?.tokensLeft(now) ?? this.#tokens.left(now)
  }

  /** Milliseconds until one more would go, were all who wait ahead as costly; 0 for at once. */
  opensIn(demand: Demand): number {
    const { queued } = this
    const now = this.#ticker.now()
    const cost = this.#cost(demand)
    const minute = Math.max(
      (queued * 60_000) / this.#limits.requestsPerMinute,
      (queued * cost * 60_000) / this.#limits.tokensPerMinute
    )
    return this.#closedFor(now) + this.#paceWait(now, cost) + minute
  }

  /** Load relative to the concurrency: decides between limiters that open at the same time. */
  get load(): number {
    return (this.#inFlight + this.queued) / Math.min(this.concurrency, 1_000)
  }

  tryEnter(demand: Demand): Permit | undefined {
    if (this.queued > 0 || this.#inFlight >= this.concurrency) return undefined
    const now = this.#ticker.now()
    if (this.#remote?.isTrusted(now) === true) return undefined
    const cost = this.#cost(demand)
    if (this.#paceWait(now, cost) > 0 || this.#room(now) < 1) return undefined
    return this.#depart(now, now, cost, false, demand.patience)
  }

  /** For how many ms its gates have not been open, all in all. */
  shutMs(now: number): number {
    return this.gate.shutMs(now) + this.#account.shutMs(now)
  }

  readonly #endShut = (shutMs: number): number => {
    let next = Infinity
    for (const entry of this.#waiting()) {
      // Timers are rounded.
      if (entry.shutUntil > shutMs + 1e-3) next = Math.min(next, entry.shutUntil)
      else {
        entry.fail(tooLong(this.#closedFor(this.#ticker.now()), 0))
        this.#forget(entry)
      }
    }
    this.pump()
    return next
  }

  /** Milliseconds for which nobody may go. */
  closedFor(now: number): number {
    return this.#closedFor(now)
  }

  /** Resolves without a permit if it is movable and had better look elsewhere. */
  enter(demand: Demand, waiting: Waiting): Promise<Permit | undefined> {
    const { again, maxRetryAfter, signal } = waiting
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const now = this.#ticker.now()
      const closed = Math.max(this.#closedFor(now), this.gate.claimedFor(now))
      if (closed > maxRetryAfter) return reject(tooLong(closed, maxRetryAfter))
      const { maxWaiters } = this.#limits
      if (!again && this.queued >= maxWaiters) return reject(full(this.queued, maxWaiters))
      this.#leastPatience = Math.min(this.#leastPatience, maxRetryAfter)
      const shutMs = this.shutMs(now)
      this.#queue.insert(
        new QuotaWaiter(demand, this.#cost(demand), waiting, shutMs, this.#ticker, resolve, reject, this.#gaveUp)
      )
      this.#shutWatch.add(shutMs + (waiting.refusedPatience ?? Infinity))
      this.pump()
    })
  }

  readonly #gaveUp = (entry: QuotaWaiter): void => {
    this.#forget(entry)
    this.pump()
  }

  /** It has left the line. Those for whom a budget is being asked, or has been taken, are in no queue. */
  #forget(entry: QuotaWaiter): void {
    if (this.#turns.delete(entry)) this.#remote?.correct(-1, -entry.cost, this.#limits)
    else if (!this.#asked.includes(entry)) this.#queue.gaveUp()
  }

  #waiting(): ReadonlyArray<QuotaWaiter> {
    const all = this.#queue.all()
    if (this.#asked.length === 0 && this.#turns.size === 0) return all
    return [...this.#turns.all(), ...this.#asked.filter((entry) => entry.isQueued()), ...all]
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
    const closed = Math.max(this.#closedFor(now), this.gate.claimedFor(now))
    const moves = now + closed - Math.max(now, this.#movedFor) >= WORTH_MOVING
    if (moves) this.#movedFor = now + closed
    if (moves || closed > this.#leastPatience) {
      this.#leastPatience = Infinity
      for (const entry of this.#waiting()) {
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
    for (const entry of this.#waiting()) {
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
    if (status < 400 && this.#tokens.isLimited) this.#follow(permit, headers, now)
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
    const { tokensPerMinute } = this.#limits
    const inFlight = this.#inFlight * permit.tokens
    const over = overdraft(theirs, { tokensPerMinute, left: this.tokensLeft(now), inFlight })
    if (over > 0) this.#correct(permit, 0, over)
  }

  settle(permit: Permit, tokens: number, output: number | undefined): void {
    if (output !== undefined) this.#meanOutput += WEIGHT * (output - this.#meanOutput)
    this.#correct(permit, 0, tokens - permit.tokens)
  }

  charge(permit: Permit, tokens: number): void {
    this.#correct(permit, 0, tokens)
  }

  refund(permit: Permit): void {
    this.#correct(permit, -1, -permit.tokens)
  }

  closings(): number {
    return this.gate.closings + this.#account.closings
  }

  leave(): void {
    this.#inFlight--
    this.pump()
  }

  /** Lets all go whose turn it is, and sets a timer for the next. */
  readonly pump = (): void => {
    if (this.#turns.size > 0) this.#departByTurn(this.#ticker.now())
    for (;;) {
      const head = this.#queue.peek()
      const now = this.#ticker.now()
      if (head === undefined) {
        if (this.#turns.size > 0) return
        if (this.#asked.length === 0) this.gate.rest(now)
        this.#shutWatch.stop()
        return this.#disarm()
      }
      // Nobody overtakes those who are asked for, not even if the shared budget has gone away meanwhile.
      if (this.#asked.length > 0) return
      if (this.#turns.size > 0 && this.#remote?.isTrusted(now) === false) return
      const closed = this.#closedFor(now)
      if (closed > 0 || this.#inFlight >= this.concurrency || this.#room(now) < 1) this.#heldTo = now + closed
      if (this.#inFlight >= this.concurrency) return
      if (this.#remote?.isTrusted(now) === true) return this.#ask(this.#remote, now)
      head.cost = this.#cost(head.demand)
      const wait = Math.max(closed, this.#paceWait(now, head.cost))
      if (wait > 0) return this.#arm(now, wait)
      if (this.#room(now) < 1) return this.#arm(now, this.#growsIn(now))
      this.#queue.shift()
      head.go(this.#depart(now, head.since, head.cost, false, head.patience))
    }
  }

  /** Lets those go whose turn has come. Whoever may not go any more gives the turn back, and waits on. */
  #departByTurn(now: number): void {
    while (remaining(this.#turns.next - now) === 0 || (this.#turns.size > 0 && this.#closedFor(now) > 0)) {
      const entry = this.#turns.shift()!
      if (this.#hasRoom(now)) entry.go(this.#depart(now, entry.since, entry.cost, true))
      else {
        this.#remote?.correct(-1, -entry.cost, this.#limits)
        this.#queue.insert(entry)
      }
    }
    if (this.#turns.size > 0) this.#arm(now, this.#turns.next - now)
  }

  /** Asks a shared budget for those who wait, as many at once as may go. */
  #ask(remote: Remote, now: number): void {
    const wait = Math.max(this.#closedFor(now), remote.wait(now))
    if (wait > 0) return this.#arm(now, wait)
    const most = Math.min(this.concurrency - this.#inFlight, this.#room(now)) - this.#turns.size
    const { requestsPerMinute, tokensPerMinute } = this.#limits
    const batch: Array<QuotaWaiter> = []
    let ms = 0
    for (let head = this.#queue.peek(); head !== undefined; head = this.#queue.peek()) {
      if (batch.length >= most || !remote.reaches(batch.length, ms)) break
      this.#queue.shift()
      head.cost = this.#cost(head.demand)
      batch.push(head)
      ms += 60_000 * Math.max(1 / requestsPerMinute, head.cost / tokensPerMinute)
    }
    const [first] = batch
    if (first === undefined) return this.#arm(now, this.#growsIn(now))
    this.#asked = batch
    const costs = batch.map((entry) => entry.cost)
    const isAll = this.#queue.size === 0
    void remote.reserve(costs, this.#limits, Math.max(first.since, this.#heldTo), isAll).then((grant) => {
      this.#asked = []
      const now = this.#ticker.now()
      batch.forEach((entry, index) => {
        const isTaken = index < (grant?.taken ?? 0)
        // A gate may have closed, or a limit fallen, while the answer was on its way.
        if (isTaken && entry.isQueued() && this.#hasRoom(now)) {
          const after = grant?.after?.[index] ?? 0
          if (after > 0) return this.#turns.add(entry, now + after)
          return entry.go(this.#depart(now, entry.since, entry.cost, true, entry.patience))
        }
        if (isTaken) remote.correct(-1, -entry.cost, this.#limits)
        if (entry.isQueued()) this.#queue.insert(entry)
      })
      // A refusal that another process met: the store knows of it already.
      if (grant !== undefined && grant.closed > this.gate.closedFor(now)) this.#told(now, grant.closed)
      else this.pump()
    })
  }

  #cost(demand: Demand): number {
    return this.#limits.tokensPerMinute === Infinity ? 0 : demand.tokens(this.#meanOutput)
  }

  #closedFor(now: number): number {
    return Math.max(this.gate.closedFor(now), this.#account.closedFor(now))
  }

  #paceWait(now: number, cost: number): number {
    return Math.max(this.#requests.wait(now, 1), this.#tokens.wait(now, cost))
  }

  #room(now: number): number {
    return Math.min(this.gate.room(now), this.#account.room(now))
  }

  /** Milliseconds until a gate lets more go by itself. */
  #growsIn(now: number): number {
    return Math.min(this.gate.growsIn(now), this.#account.growsIn(now))
  }

  /** True if all but the budget allows one more. */
  #hasRoom(now: number): boolean {
    return this.#inFlight < this.concurrency && this.#closedFor(now) === 0 && this.#room(now) >= 1
  }

  #depart(now: number, since: number, cost: number, shared: boolean, patience = Infinity): Permit {
    this.#inFlight++
    Recent.note(this.#peak, now, this.#inFlight)
    Recent.countOne(this.#rate, now)
    this.#usedAt = now
    const ready = Math.max(since, this.#heldTo)
    // Requests of a shared budget are counted here too, for the case that it becomes unreachable.
    this.#requests.take(now, ready, 1)
    this.#tokens.take(now, ready, cost)
    const open = this.gate.isOpen && this.#account.isOpen
    const trials = open ? undefined : [this.gate, this.#account].flatMap((gate) => (gate.isOpen ? [] : gate.trial()))
    return new Permit(this, { sentAt: now, inFlight: this.#inFlight, tokens: cost, shared, patience, trials })
  }

  #correct(permit: Permit, requests: number, tokens: number): void {
    const now = this.#ticker.now()
    if (requests !== 0) this.#requests.correct(now, requests)
    if (tokens !== 0) this.#tokens.correct(now, tokens)
    if (permit.shared) this.#remote!.correct(requests, tokens, this.#limits)
    if (this.#queue.size > 0) this.#wake()
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

const full = (queued: number, maxWaiters: number): TurnedAway =>
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
