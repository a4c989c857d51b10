/** Requests that wait until the policy lets them go, or until a retry is paid for. Each has a bound on its wait. */
import type { RequestQueue } from "../util/waitQueue.ts"
import type { Ticker } from "../util/ticker.ts"
import { root } from "../util/asyncContext.ts"
import type { RequestBody } from "../wire/request.ts"
import type { WireError } from "../wire/errors.ts"
import * as Budget from "./budget.ts"
import type { Lane, Pass } from "./lane.ts"
import * as Policy from "./policy.ts"
import { type Verdict, type Wait, HeldRequest } from "./waiting.ts"

/** Lanes looked at in one turn, of which ten thousand may wait, and the ms until the next turn. */
const LANES_A_TURN = 1_000
const NEXT_TURN_MS = 50
const SOONEST_MS = 1

export interface Bodies {
  /** Error if one more request with such a body must not join `queued` others; `undefined` if it may. */
  readonly refusal: (queued: number, body: RequestBody) => WireError | undefined
  readonly enter: (body: RequestBody) => void
  readonly leave: (body: RequestBody) => void
}

export interface WaitersOptions {
  readonly ticker: Ticker
  readonly origin: Policy.OverloadState
  readonly admit: (lane: Lane) => Pass
  readonly backlog: Bodies | undefined
}

export class Waiters {
  readonly #backlog: Bodies | undefined
  readonly #ticker: Ticker
  readonly #origin: Policy.OverloadState
  readonly #admit: (lane: Lane) => Pass
  /** Lanes with a waiting request; the first has waited longest for its turn. */
  readonly #lined = new Set<Lane>()
  /** Lanes of which retries wait to be paid. */
  readonly #unpaid = new Set<Lane>()
  #size = 0
  #cancel: (() => void) | undefined
  #timerAt = Infinity

  constructor({ admit, backlog, origin, ticker }: WaitersOptions) {
    this.#ticker = ticker
    this.#origin = origin
    this.#admit = admit
    this.#backlog = backlog
  }

  /** Requests that wait. */
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

  /** A probe was refused: requests that share its verdict fail. `undefined` is for all lanes. */
  refuse(lane: Lane | undefined): void {
    for (const one of lane === undefined ? [...this.#lined] : [lane]) {
      for (const waiting of one.line.all()) if (waiting.sharesVerdict) waiting.giveUp("refused")
    }
  }

  /**
   * A circuit opened: retries that wait to be paid join the queue, where waiting is payment enough. `undefined` is for
   * all lanes.
   */
  opened(lane: Lane | undefined): void {
    for (const one of lane === undefined ? [...this.#unpaid] : [lane]) {
      for (let next = one.unpaid.peek(); next !== undefined; next = one.unpaid.peek()) {
        one.unpaid.shift()
        next.move(one.line)
        this.#lined.add(one)
      }
      this.#unpaid.delete(one)
    }
  }

  /** Fails all waiting requests. */
  close(error: WireError): void {
    for (const { line } of this.#lined) for (const waiting of line.all()) waiting.fail(error)
    for (const { unpaid } of this.#unpaid) for (const waiting of unpaid.all()) waiting.fail(error)
    this.#lined.clear()
    this.#unpaid.clear()
  }

  /** Something came of an attempt of this lane. */
  settle(lane: Lane): void {
    if (this.#size === 0) return
    const now = this.#ticker.now()
    let wakeAt = lane.unpaid.size > 0 ? this.#pumpUnpaid(lane, now) : Infinity
    // A lane that is freed does nothing for another, unless they wait for the origin.
    if (this.#origin.waiting > lane.state.waiting) wakeAt = Math.min(wakeAt, this.#pumpLines(now))
    else if (lane.line.size > 0) wakeAt = Math.min(wakeAt, this.#pumpLine(lane, now))
    if (wakeAt < this.#timerAt) this.#arm(now, wakeAt)
  }

  /** Releases all requests that may go, and sets a timer for the next. */
  pump(): void {
    if (this.#size === 0) return
    const now = this.#ticker.now()
    let wakeAt = this.#pumpLines(now)
    for (const lane of this.#unpaid) wakeAt = Math.min(wakeAt, this.#pumpUnpaid(lane, now))
    this.#arm(now, wakeAt)
  }

  #pumpLines(now: number): number {
    let wakeAt = Infinity
    const lanes = this.#lined.size <= LANES_A_TURN ? [...this.#lined] : firstOf(this.#lined, LANES_A_TURN)
    for (const lane of lanes) {
      if (Policy.room(this.#origin, now) < 1) return Math.min(wakeAt, Policy.nextLookAt(this.#origin, now))
      wakeAt = Math.min(wakeAt, this.#pumpLine(lane, now))
    }
    return lanes.length < this.#lined.size ? Math.min(wakeAt, now + NEXT_TURN_MS) : wakeAt
  }

  /** Returns when to come back for the lane, or for the origin if that holds it back. */
  #pumpLine(lane: Lane, now: number): number {
    const { line, state } = lane
    // Behind those of other lanes.
    this.#lined.delete(lane)
    while (line.peek() !== undefined) {
      const isHeldByOrigin = Policy.room(this.#origin, now) < 1
      if (isHeldByOrigin || Policy.room(state, now) < 1) {
        this.#lined.add(lane)
        return Policy.nextLookAt(isHeldByOrigin ? this.#origin : state, now)
      }
      const next = line.peek()!
      line.shift()
      next.go(this.#admit(lane))
    }
    return Infinity
  }

  #pumpUnpaid(lane: Lane, now: number): number {
    const { perSecond, state, unpaid } = lane
    for (let next = unpaid.peek(); next !== undefined; next = unpaid.peek()) {
      if (!Budget.take(state.budget, now, perSecond, Policy.usual(state, now))) {
        return now + Budget.wait(state.budget, perSecond)
      }
      unpaid.shift()
      next.go("paid")
    }
    this.#unpaid.delete(lane)
    return Infinity
  }

  #enter(lane: Lane, queue: RequestQueue<HeldRequest<Pass>>, body: RequestBody, wait: Wait): Promise<Verdict<Pass>> {
    if (wait.signal?.aborted) return Promise.reject(wait.signal.reason as Error)
    return new Promise((resolve, reject) => {
      const left = (): void => {
        this.#count(lane, -1)
        this.#backlog?.leave(body)
      }
      queue.insert(new HeldRequest(queue, wait, this.#ticker, { resolve, reject, left }))
      this.#count(lane, 1)
      this.#backlog?.enter(body)
      const now = this.#ticker.now()
      const wakeAt = queue === lane.unpaid ? this.#pumpUnpaid(lane, now) : this.#pumpLine(lane, now)
      if (wakeAt < this.#timerAt) this.#arm(now, wakeAt)
    })
  }

  #count(lane: Lane, change: 1 | -1): void {
    this.#size += change
    lane.state.waiting += change
    this.#origin.waiting += change
    if (this.#size === 0) this.#disarm()
  }

  #arm(now: number, at: number): void {
    if (at === this.#timerAt) return
    this.#disarm()
    if (at === Infinity || this.#size === 0) return
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

const firstOf = <A>(all: Iterable<A>, count: number): ReadonlyArray<A> => {
  const first: Array<A> = []
  for (const one of all) if (first.push(one) >= count) break
  return first
}
