/**
 * Applies the policy to the requests of one origin: records the outcome of each, and holds back, in their order, those
 * that must wait. While nothing fails it only counts.
 */
import { live, type Ticker } from "../util/ticker.ts"
import type { About, RequestBody } from "../wire/request.ts"
import { CircuitOpen, DeadlinePassed, type WireError } from "../wire/errors.ts"
import * as Budget from "./budget.ts"
import { type Lane, Lanes, Pass } from "./lane.ts"
import * as Policy from "./policy.ts"
import { type Bodies, Waiters } from "./waiters.ts"
import type { Verdict, Wait } from "./waiting.ts"

/** A circuit opened or closed. */
export interface CircuitChange {
  readonly isOpen: boolean
  /** The origin, and perhaps the model. */
  readonly of: string
  /** The last failure before it opened. */
  readonly why: string
  readonly failures: number
  /** Milliseconds until a probe goes. */
  readonly probeIn: number
}

/** Retries wait, or are denied, since the budget is used up. */
export interface BudgetUsedUp {
  readonly of: string
  readonly retriesPerSecond: number
  readonly waiting: number
}

export interface HealthOptions {
  readonly origin: string
  /** Failures at least that open a circuit; 0 for none that ever does. */
  readonly circuitFailures: number
  /** Milliseconds. */
  readonly circuitCooldown: number
  /** @default the process's own clock */
  readonly ticker?: Ticker | undefined
  /** @default Math.random */
  readonly random?: (() => number) | undefined
  /** A circuit has just opened: requests that wait for a socket may be recalled. @default none */
  readonly opened?: (() => void) | undefined
  /** Requests that wait elsewhere, within the same bound. @default none */
  readonly queued?: (() => number) | undefined
  /** Counts the bodies of waiting requests. @default nothing is counted */
  readonly backlog?: Bodies | undefined
  /** Must not throw. @default none */
  readonly onCircuit?: ((change: CircuitChange) => void) | undefined
  /** Must not throw. @default none */
  readonly onBudget?: ((usedUp: BudgetUsedUp) => void) | undefined
}

/** The owner of a request, and what it asks for. */
export interface Subject {
  readonly tenant?: object | undefined
  readonly about?: Pick<About, "model"> | undefined
  readonly body?: RequestBody
}

const isOpen = ({ mode }: Policy.OverloadState): boolean => mode === "shut"

export class Health {
  readonly #options: HealthOptions
  readonly #rules: Policy.Rules
  readonly #ticker: Ticker
  readonly #random: () => number
  readonly #origin = Policy.makeOrigin()
  readonly #lanes = new Lanes()
  readonly #waiters: Waiters
  /** States that were reported as open, with their names. */
  readonly #told = new Map<Policy.OverloadState, string>()
  #lastFailure = ""

  constructor(options: HealthOptions) {
    this.#options = options
    this.#rules = { failures: options.circuitFailures, cooldown: options.circuitCooldown }
    this.#ticker = options.ticker ?? live
    this.#random = options.random ?? Math.random
    this.#waiters = new Waiters({
      ticker: this.#ticker,
      origin: this.#origin,
      admit: (lane) => this.#admit(lane, this.#ticker.now(), true),
      backlog: options.backlog
    })
  }

  /** Circuits that are open. */
  open(): number {
    let count = isOpen(this.#origin) ? 1 : 0
    for (const { state } of this.#lanes.all()) if (isOpen(state)) count++
    return count
  }

  /** Requests held back. */
  get waiting(): number {
    return this.#waiters.size
  }

  laneOf({ about, tenant }: Subject): Lane {
    return this.#lanes.of(tenant, about?.model ?? "", this.#ticker.now(), this.#forgotten)
  }

  /** True if nothing is held back. */
  isFlowing(lane: Lane): boolean {
    return lane.state.mode === "flowing" && this.#origin.mode === "flowing"
  }

  /** The leave to send one attempt now, unless it has to wait. */
  enter(subject: Subject): Pass | undefined {
    const lane = this.laneOf(subject)
    const now = this.#ticker.now()
    if (!this.isFlowing(lane)) {
      if (lane.line.size > 0 || Policy.room(lane.state, now) < 1 || Policy.room(this.#origin, now) < 1) return undefined
    }
    return this.#admit(lane, now, false)
  }

  /** Error for a request that must not be sent now. */
  refusal(subject: Subject): CircuitOpen {
    return this.circuitOpen(this.laneOf(subject))
  }

  circuitOpen(lane: Lane): CircuitOpen {
    const now = this.#ticker.now()
    const state = isOpen(this.#origin) ? this.#origin : lane.state
    const left = Math.max(1, state.nextProbeAt - now)
    const since = ((now - state.shutAt) / 1_000).toFixed(1)
    const of = this.#nameOf(state === this.#origin ? undefined : lane)
    return new CircuitOpen(`not sent: ${of} has not responded for ${since} s. Last failure: ${this.#lastFailure}`, left)
  }

  /** Error for a request that must not wait since too many do; `undefined` if it may. */
  isFull({ body }: Subject): WireError | undefined {
    return this.#options.backlog?.refusal(this.#waiters.size + (this.#options.queued?.() ?? 0), body)
  }

  /** Waits for permission to send, in the order of arrival. */
  wait(subject: Subject, wait: Wait): Promise<Verdict<Pass>> {
    return this.#waiters.join(this.laneOf(subject), subject.body, wait)
  }

  /** Takes a retry from the budget of its lane. */
  pay(subject: Subject, perSecond: number): boolean {
    const lane = this.laneOf(subject)
    lane.perSecond = perSecond
    // A request that is held back pays by waiting.
    if (!this.isFlowing(lane)) return true
    if (lane.unpaid.size > 0) return false
    const now = this.#ticker.now()
    return Budget.take(lane.state.budget, now, perSecond, Policy.usual(lane.state, now))
  }

  /** Waits until a retry is paid for, or for leave to go where a circuit opens meanwhile. */
  waitPaid(subject: Subject, wait: Wait): Promise<Verdict<Pass>> {
    return this.#waiters.joinUnpaid(this.laneOf(subject), subject.body, wait)
  }

  /** Reports once that retries of this lane are denied. */
  denied(subject: Subject): void {
    const lane = this.laneOf(subject)
    if (lane.isBudgetTold) return
    lane.isBudgetTold = true
    this.#options.onBudget?.({
      of: this.#nameOf(lane),
      retriesPerSecond: lane.perSecond,
      waiting: lane.unpaid.size
    })
  }

  /** True if a lost connection is charged for: those lost together have one cause. */
  isNewCause(subject: Subject): boolean {
    return Budget.isNewCause(this.laneOf(subject).state.budget, this.#ticker.now())
  }

  /**
   * True if a request that has failed for the last time had better wait: nothing has got in that was sent since its first
   * attempt failed. Then the circuit opens, if there were `least` failures.
   */
  isExhausted(subject: Subject, firstFailedAt: number, least: number): boolean {
    const lane = this.laneOf(subject)
    const now = this.#ticker.now()
    if (this.#rules.failures === 0 || !Policy.isUnwellSince(lane.state, now, firstFailedAt)) return false
    // Refused connections are counted at the origin.
    if (lane.state.failures < least && this.#origin.failures < least) return false
    if (Policy.exhaust(lane.state, now, this.#random())) this.#opened(lane.state, lane)
    if (Policy.isUnwellSince(this.#origin, now, firstFailedAt)) {
      if (Policy.exhaust(this.#origin, now, this.#random())) this.#opened(this.#origin, undefined)
    }
    return true
  }

  /** An attempt goes onto the wire. */
  sent(pass: Pass): void {
    pass.sentAt = this.#ticker.now()
    Policy.sent(pass.lane.state, pass.sentAt, pass)
    Policy.sent(this.#origin, pass.sentAt, pass)
  }

  /** A server turned it away unread: it waits for a connection again. */
  returned(pass: Pass): void {
    pass.sentAt = Infinity
    Policy.returned(pass.lane.state, pass)
    Policy.returned(this.#origin, pass)
  }

  /** It waits in a queue again, or for the first time: whether it has to come back. */
  isRecalled(pass: Pass): boolean {
    return !pass.isProbe && (isOpen(pass.lane.state) || isOpen(this.#origin))
  }

  /** It was not sent, and will not be. */
  drop(pass: Pass): void {
    if (!this.#over(pass)) return
    this.#waiters.pump()
  }

  /** It was not sent, because of this: where no connection came about in its time, its lane has failed it. */
  unsent(pass: Pass, error: WireError): void {
    if (error.reason !== "Timeout" || error instanceof DeadlinePassed) return this.drop(pass)
    if (!this.#over(pass)) return
    pass.sentAt = pass.admittedAt
    this.#failed(pass, error.message)
  }

  answered(pass: Pass, status: number): void {
    if (!this.#over(pass)) return
    if (status >= 500 || status === 408) return this.#failed(pass, `status ${status}`)
    const { lane, sentAt } = pass
    const pays = status !== 429 && status !== 409
    const now = this.#ticker.now()
    Policy.answered(lane.state, now, sentAt, pays)
    Policy.answered(this.#origin, now, sentAt, false)
    this.#settle(lane)
  }

  /** It was sent, and not answered. */
  unanswered(pass: Pass, error: WireError): void {
    if (!this.#over(pass)) return
    // Its time passed elsewhere, and the rest was too short for any server.
    const isTelling = !(error instanceof DeadlinePassed) || error.isTelling
    if ((error.reason === "Connection" || error.reason === "Timeout") && isTelling) this.#failed(pass, error.message)
    else this.#waiters.pump()
  }

  /** No connection can be made, and none is open. `failAll` fails the requests that wait for one. */
  unreachable(error: WireError, failAll: () => void): void {
    if (error.reason !== "Connection" && error.reason !== "Timeout") return failAll()
    this.#lastFailure = error.message
    const now = this.#ticker.now()
    const hasShut = Policy.unreachable(this.#origin, now, this.#rules, this.#random())
    // After the state is known, so that their leaving lets no other request go.
    failAll()
    // A single failing dial is reported once another has failed.
    if (hasShut) this.#heldBack(undefined)
    else if (isOpen(this.#origin)) this.#tell(this.#origin, undefined)
    this.#waiters.refuse(undefined)
    this.#waiters.pump()
  }

  /** Fails all waiting requests. */
  close(error: WireError): void {
    this.#waiters.close(error)
  }

  #admit(lane: Lane, now: number, hasWaited: boolean): Pass {
    const { state } = lane
    const ofLane = Policy.admit(state, now, this.#rules, this.#random())
    const ofOrigin = Policy.admit(this.#origin, now, this.#rules, this.#random())
    return new Pass(lane, now, ofLane || ofOrigin, hasWaited)
  }

  #over(pass: Pass): boolean {
    if (pass.isOver) return false
    pass.isOver = true
    const wasSent = pass.sentAt < Infinity
    Policy.over(pass.lane.state, wasSent)
    Policy.over(this.#origin, wasSent)
    return true
  }

  #failed(pass: Pass, why: string): void {
    const { isProbe, lane } = pass
    const now = this.#ticker.now()
    this.#lastFailure = why
    const random = this.#random()
    if (Policy.failed(lane.state, now, pass, this.#rules, random)) this.#opened(lane.state, lane)
    if (Policy.failed(this.#origin, now, pass, this.#rules, random)) this.#opened(this.#origin, undefined)
    if (isProbe) this.#waiters.refuse(isOpen(this.#origin) ? undefined : lane)
    this.#settle(lane)
  }

  /** Releases requests, and reports circuits that have closed. */
  #settle(lane: Lane): void {
    if (lane.isBudgetTold && Budget.isRested(lane.state.budget)) lane.isBudgetTold = false
    this.#waiters.settle(lane)
    if (this.#told.size > 0) this.#closed()
  }

  #closed(): void {
    for (const [state, of] of this.#told) {
      if (state.mode !== "flowing") continue
      this.#told.delete(state)
      this.#options.onCircuit?.({ isOpen: false, of, why: "", failures: 0, probeIn: 0 })
    }
  }

  #opened(state: Policy.OverloadState, lane: Lane | undefined): void {
    this.#tell(state, lane)
    this.#heldBack(lane)
  }

  #tell(state: Policy.OverloadState, lane: Lane | undefined): void {
    if (this.#told.has(state)) return
    const of = this.#nameOf(lane)
    this.#told.set(state, of)
    const probeIn = Math.max(0, state.nextProbeAt - this.#ticker.now())
    this.#options.onCircuit?.({ isOpen: true, of, why: this.#lastFailure, failures: state.failures, probeIn })
  }

  #heldBack(lane: Lane | undefined): void {
    this.#waiters.opened(lane)
    this.#options.opened?.()
    this.#waiters.pump()
  }

  readonly #forgotten = ({ state }: Lane): void => {
    state.mode = "flowing"
    this.#closed()
  }

  #nameOf(lane: Lane | undefined): string {
    const model = lane?.model ?? ""
    return model === "" ? this.#options.origin : `${this.#options.origin} (${JSON.stringify(model)})`
  }
}
