/** Those who wait until the policy lets them go, or until a retry is paid for. Each has a bound on its wait. */
import type { RequestQueue } from "../fifo.ts"
import type { Ticker } from "../ticker.ts"
import { root } from "../transport/context.ts"
import type { RequestBody, WireError } from "../wire.ts"
import * as Budget from "./budget.ts"
import type { Lane, Pass } from "./lane.ts"
import * as Policy from "./policy.ts"
import { type Verdict, type Wait, Waiting } from "./waiting.ts"

/** Those who waited for a circuit go within so long once it has closed, not all in one moment. */
const RELEASE_MS = 200
const RELEASE_TICK_MS = 10
/** Fewer go at once. */
const FEW = 10
/** Lanes looked at in one turn: ten thousand may wait. */
const LANES_A_TURN = 256
const SOONEST_MS = 1

export interface Bodies {
  /** Why one more with such a body must not join so many others. */
  readonly refusal: (queued: number, body: RequestBody) => WireError | undefined
  readonly enter: (body: RequestBody) => void
  readonly leave: (body: RequestBody) => void
}

export interface WaitersOptions {
  readonly ticker: Ticker
  readonly origin: Policy.State
  readonly admit: (lane: Lane) => Pass
  readonly backlog: Bodies | undefined
}

export class Waiters {
  readonly backlog: Bodies | undefined
  readonly #ticker: Ticker
  readonly #origin: Policy.State
  readonly #admit: (lane: Lane) => Pass
  /** Lanes in whose line somebody waits; the first has waited longest for its turn. */
  readonly #lined = new Set<Lane>()
  /** Lanes of which retries wait to be paid. */
  readonly #unpaid = new Set<Lane>()
  /** Until when those who waited for a lane are released. */
  readonly #releases = new WeakMap<Lane, number>()
  #size = 0
  #cancel: (() => void) | undefined
  #timerAt = Infinity

  constructor({ admit, backlog, origin, ticker }: WaitersOptions) {
    this.#ticker = ticker
    this.#origin = origin
    this.#admit = admit
    this.backlog = backlog
  }

  /** How many wait. */
  get size(): number {
    return this.#size
  }

  join(lane: Lane, body: RequestBody, wait: Wait): Promise<Verdict<Pass>> {
    this.#lined.add(lane)
    return this.#enter(lane, lane.line, body, wait)
  }

  joinUnpaid(lane: Lane, body: RequestBody, wait: Wait): Promise<Verdict<Pass>> {
    this.#unpaid.add(lane)
    return this.#enter(lane, lane.unpaid, body, wait)
  }

  /** A probe was refused: those who share its verdict fail. `undefined` is for all lanes. */
  refuse(lane: Lane | undefined): void {
    for (const one of lane === undefined ? this.#lined : [lane]) {
      for (const waiting of one.line.all()) if (waiting.sharesVerdict) waiting.giveUp("refused")
    }
  }

  /** A circuit opened: who waits to be paid joins the line, where waiting is payment enough. */
  opened(lane: Lane): void {
    for (let next = lane.unpaid.peek(); next !== undefined; next = lane.unpaid.peek()) {
      lane.unpaid.shift()
      next.move(lane.line)
      this.#lined.add(lane)
    }
    this.pump()
  }

  /** Something came of an attempt of this lane. */
  settle(lane: Lane): void {
    if (lane.unpaid.size > 0 || lane.line.size > 0 || this.#origin.mode !== "flowing") this.pump()
  }

  /** Lets go whoever may, and sets a timer for the next. */
  pump(): void {
    if (this.#size === 0) return this.#disarm()
    const now = this.#ticker.now()
    const wakeAt = Math.min(this.#pumpLines(now), this.#pumpUnpaid(now))
    this.#arm(now, wakeAt)
  }

  #pumpLines(now: number): number {
    let wakeAt = Infinity
    let looked = 0
    for (const lane of this.#lined) {
      if (Policy.room(this.#origin, now) < 1) return Math.min(wakeAt, Policy.nextLookAt(this.#origin, now))
      if (++looked > LANES_A_TURN) return Math.min(wakeAt, now + RELEASE_TICK_MS)
      wakeAt = Math.min(wakeAt, this.#pumpLine(lane, now))
    }
    return wakeAt
  }

  /** Returns when to come back for the lane itself, whatever the origin's state. */
  #pumpLine(lane: Lane, now: number): number {
    const { line, state } = lane
    const isFree = state.mode === "flowing" && this.#origin.mode === "flowing"
    const most = isFree ? this.#released(lane, now) : Infinity
    for (let count = 0; count < most && line.peek() !== undefined; count++) {
      if (!isFree && Policy.room(this.#origin, now) < 1) break
      if (!isFree && Policy.room(state, now) < 1) return Policy.nextLookAt(state, now)
      const next = line.peek()!
      line.shift()
      next.go(this.#admit(lane))
    }
    this.#lined.delete(lane)
    if (line.size === 0) return Infinity
    // Behind those of other lanes.
    this.#lined.add(lane)
    return isFree ? now + RELEASE_TICK_MS : Infinity
  }

  /** How many of those who wait for a lane that flows again go in this turn. */
  #released(lane: Lane, now: number): number {
    const { size } = lane.line
    let until = this.#releases.get(lane)
    if (until === undefined || until < now - RELEASE_MS) this.#releases.set(lane, (until = now + RELEASE_MS))
    const left = until - now
    return size <= FEW || left <= RELEASE_TICK_MS ? size : Math.ceil((size * RELEASE_TICK_MS) / left)
  }

  #pumpUnpaid(now: number): number {
    let wakeAt = Infinity
    for (const lane of this.#unpaid) {
      const { budget } = lane.state
      for (let next = lane.unpaid.peek(); next !== undefined; next = lane.unpaid.peek()) {
        if (!Budget.take(budget, now, lane.perSecond, Policy.usual(lane.state, now))) break
        lane.unpaid.shift()
        next.go("paid")
      }
      if (lane.unpaid.size === 0) this.#unpaid.delete(lane)
      else wakeAt = Math.min(wakeAt, now + Budget.wait(budget, lane.perSecond))
    }
    return wakeAt
  }

  #enter(lane: Lane, queue: RequestQueue<Waiting<Pass>>, body: RequestBody, wait: Wait): Promise<Verdict<Pass>> {
    if (wait.signal?.aborted) return Promise.reject(wait.signal.reason as Error)
    return new Promise((resolve, reject) => {
      const left = (): void => {
        this.#count(lane, -1)
        this.backlog?.leave(body)
      }
      queue.insert(new Waiting(queue, wait, this.#ticker, resolve, reject, left))
      this.#count(lane, 1)
      this.backlog?.enter(body)
      this.pump()
    })
  }

  #count(lane: Lane, change: 1 | -1): void {
    this.#size += change
    lane.state.waiting += change
    this.#origin.waiting += change
  }

  #arm(now: number, at: number): void {
    if (at === this.#timerAt) return
    this.#disarm()
    if (at === Infinity) return
    this.#timerAt = at
    this.#cancel = root(this.#ticker.after, Math.max(SOONEST_MS, at - now), () => {
      this.#timerAt = Infinity
      this.#cancel = undefined
      this.pump()
    })
  }

  #disarm(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#timerAt = Infinity
  }
}
