/**
 * The one policy of overload: when an attempt is sent, sent again, delayed or failed. Functions over a state and a clock
 * that is handed to them: no timer, no promise, no randomness of their own. docs/overload.md explains it.
 *
 * There is a state for each lane, which is a credential and a model, and one for the origin that they share. An attempt
 * goes when both let it.
 *
 * - flowing: everything goes.
 * - shut: nothing that was sent of late got in. Probes go, one by one.
 * - recovering: a probe got in. Half of the usual traffic goes, then twice as much each 300 ms.
 *
 * An attempt *got in* if it was answered, or was not refused for four times as long as refusals take (`letInAfterMs`). It
 * counts for the time at which it was sent, so that slow answers from before an outage do not hide it. Envoy ejects a host
 * for five failures in a row because it has others to go to; here there is often none, so a handful, or any share, of
 * failures opens nothing while something succeeds.
 */
import * as Budget from "./budget.ts"
import * as Recent from "./recent.ts"
import * as Recovery from "./recovery.ts"

/** A refusal takes as long as the last ones took, with a margin. */
const REFUSAL_FACTOR = 4
const REFUSAL_MARGIN_MS = 100

/** A streak must last for as long as a refusal may take, up to a second, and this much longer. */
const LONGEST_STREAK_MS = 1_000
const STREAK_MARGIN_MS = 250

/** The first probe goes after this, at random up to twice as much. */
const FIRST_PAUSE_MS = 250
const PAUSE_GROWTH = 1.6
/** A fortieth of the outage so far, within these. */
const OUTAGE_SHARE = 1 / 40
const LONG_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 5_000
/** Probes in a pause, where as many wait: one unlucky probe must not cost a whole pause. */
const PROBES_PER_PAUSE = 3

/** Goes at once after an outage, however little went before: TCP's initial window (RFC 6928). */
const MIN_RECOVERY_REQUESTS = 10
const GROWTH_PER_ANSWER = 2

/** Failures of so many lanes at once are the origin's. */
const ORIGIN_LANES = 3

export interface Rules {
  /** Failures at least that shut; 0 for never. */
  readonly failures: number
  /** Bounds the pause between probes. Milliseconds. */
  readonly cooldown: number
}

/** One attempt, as it is judged. */
export interface Attempt {
  /** When it was sent; `Infinity` until then. */
  sentAt: number
  /** Answered, failed or given up. */
  isOver: boolean
}

type Mode = "flowing" | "shut" | "recovering"

export interface OverloadState {
  mode: Mode
  /** Lanes whose failures make this state's, for the state of an origin. */
  readonly lanes: Set<object> | undefined
  /** Admitted, and not answered. */
  inFlight: number
  /** Admitted and dispatched. */
  onWire: number
  /** Held back. */
  waiting: number
  /** Most on the wire of late. */
  readonly peak: Recent.Recent
  readonly rate: Recent.Rate
  /** The slowest refusal of late, in ms. */
  readonly refusal: Recent.Recent
  /** When the last attempt was sent that got in. */
  goodAt: number
  /** Time at which the last attempt was sent that was answered. */
  answeredAt: number
  /** Failures since the last attempt that got in, and when the first of them came. */
  failures: number
  failingSince: number
  /** Sent since then, in that order, and not known to be over. */
  pending: Array<Attempt>
  shutAt: number
  pause: number
  nextProbeAt: number
  readonly recovery: Recovery.Recovery
  readonly budget: Budget.Budget
}

const make = (lanes: Set<object> | undefined): OverloadState => ({
  mode: "flowing",
  lanes,
  inFlight: 0,
  onWire: 0,
  waiting: 0,
  peak: Recent.make(),
  rate: Recent.makeRate(),
  refusal: Recent.make(),
  goodAt: -Infinity,
  answeredAt: -Infinity,
  failures: 0,
  failingSince: -Infinity,
  pending: [],
  shutAt: -Infinity,
  pause: 0,
  nextProbeAt: -Infinity,
  recovery: Recovery.make(),
  budget: Budget.make()
})

export const makeLane = (): OverloadState => make(undefined)
export const makeOrigin = (): OverloadState => make(new Set())

/** Milliseconds after which an attempt that was not refused counts as let in, where refusals took so long of late. */
export const letInAfterMs = (refusals: Recent.Recent, now: number): number =>
  REFUSAL_FACTOR * Recent.max(refusals, now) + REFUSAL_MARGIN_MS

/** Requests in flight before there was trouble. */
export const usual = (state: OverloadState, now: number): number =>
  state.mode === "flowing" ? Recent.max(state.peak, now) : state.recovery.usual

const isCalm = (state: OverloadState): boolean => state.mode === "flowing" && state.failures === 0

const flow = (state: OverloadState): void => {
  state.mode = "flowing"
  if (state.failures === 0) state.pending = []
}

/** Ends the recovery once the pace covers all waiting requests. */
const flowIfOver = (state: OverloadState): void => {
  if (Recovery.isOver(state.recovery) && state.waiting <= state.recovery.tokens) flow(state)
}

const shut = (state: OverloadState, now: number, random: number): void => {
  if (state.mode === "flowing") {
    Recovery.note(state.recovery, Recent.max(state.peak, now), Recent.perSecond(state.rate, now))
    state.shutAt = now
    state.pause = FIRST_PAUSE_MS * (1 + random)
  }
  state.mode = "shut"
  state.nextProbeAt = now + state.pause
}

const recover = (state: OverloadState, now: number): void => {
  state.mode = "recovering"
  Recovery.start(state.recovery, now, MIN_RECOVERY_REQUESTS, state.inFlight + state.waiting)
  flowIfOver(state)
}

/** An attempt that was sent then got in. */
const gotIn = (state: OverloadState, now: number, sentAt: number): void => {
  state.goodAt = Math.max(state.goodAt, sentAt)
  if (state.failures === 0 || sentAt < state.failingSince) return
  state.failures = 0
  state.pending = []
  state.lanes?.clear()
  if (state.mode === "shut") recover(state, now)
}

/** Counts those as having got in that have been out for long enough, and lets time pass. */
const look = (state: OverloadState, now: number): void => {
  if (state.failures > 0) {
    const { pending } = state
    const before = now - letInAfterMs(state.refusal, now)
    let seen = 0
    let goodAt = -Infinity
    for (; seen < pending.length; seen++) {
      const { isOver, sentAt } = pending[seen]!
      if (isOver) continue
      if (sentAt > before) break
      goodAt = sentAt
    }
    if (seen > 0) pending.splice(0, seen)
    if (goodAt > -Infinity) gotIn(state, now, goodAt)
  }
  if (state.mode !== "recovering") return
  const isFailing = (allowance: number): boolean => state.failures >= allowance / 4
  Recovery.grow(state.recovery, now, state.inFlight + state.waiting, isFailing)
  flowIfOver(state)
}

/** Requests that may go now. */
export const room = (state: OverloadState, now: number): number => {
  if (state.mode === "flowing") return Infinity
  look(state, now)
  if (state.mode === "shut") return now >= state.nextProbeAt ? 1 : 0
  return state.mode === "recovering" ? Recovery.room(state.recovery, state.inFlight) : Infinity
}

/** Time of the next check, if a request waits. */
export const nextLookAt = (state: OverloadState, now: number): number => {
  if (state.mode === "flowing") return Infinity
  if (state.mode === "recovering") return Recovery.nextAt(state.recovery, now, state.inFlight)
  const first = state.failures === 0 ? undefined : state.pending.find(({ isOver }) => !isOver)
  const verdictAt = first === undefined ? Infinity : first.sentAt + letInAfterMs(state.refusal, now)
  return Math.min(verdictAt, Math.max(now, state.nextProbeAt))
}

/** One attempt may go, and does. Returns whether it is a probe. */
export const admit = (state: OverloadState, now: number, rules: Rules, random: number): boolean => {
  state.inFlight++
  if (state.mode === "recovering") Recovery.take(state.recovery)
  if (state.mode !== "shut") return false
  const probes = Math.min(PROBES_PER_PAUSE, Math.max(1, state.waiting))
  state.nextProbeAt = now + (state.pause / probes) * (0.8 + 0.4 * random)
  const longest = Math.max(LONG_PAUSE_MS, (now - state.shutAt) * OUTAGE_SHARE)
  const most = Math.min(longest, LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, rules.cooldown))
  state.pause = Math.min(state.pause * PAUSE_GROWTH ** (1 / probes), most)
  return true
}

/** An admitted attempt goes onto the wire. */
export const sent = (state: OverloadState, now: number, attempt: Attempt): void => {
  state.onWire++
  Recent.note(state.peak, now, state.onWire)
  Recent.countOne(state.rate, now)
  if (!isCalm(state)) state.pending.push(attempt)
}

/** It was sent, and came back unread: it is no evidence, and will be sent again. */
export const returned = (state: OverloadState, attempt: Attempt): void => {
  state.onWire--
  state.pending = state.pending.filter((one) => one !== attempt)
}

/** It was answered, failed, or was given up. */
export const over = (state: OverloadState, wasSent: boolean): void => {
  state.inFlight--
  if (wasSent) state.onWire--
}

/** It was answered, or rejected by a healthy server. Only an attempt that `pays` deposits into the budget. */
export const answered = (state: OverloadState, now: number, sentAt: number, pays: boolean): void => {
  state.answeredAt = Math.max(state.answeredAt, sentAt)
  gotIn(state, now, sentAt)
  const { current, previous } = state.peak
  if (pays) Budget.answered(state.budget, Math.max(current, previous))
  if (state.mode !== "recovering") return
  state.recovery.allowance += GROWTH_PER_ANSWER
  look(state, now)
}

const isStreak = (state: OverloadState, now: number): boolean => {
  const lasting = Math.min(REFUSAL_FACTOR * Recent.max(state.refusal, now), LONGEST_STREAK_MS) + REFUSAL_MARGIN_MS
  return now - state.failingSince >= lasting + STREAK_MARGIN_MS
}

const isWide = ({ lanes }: OverloadState): boolean => lanes === undefined || lanes.size >= ORIGIN_LANES

const begin = (state: OverloadState, now: number, lane: object): void => {
  if (state.failures++ === 0) state.failingSince = now
  if (isWide(state)) return
  state.lanes?.add(lane)
}

/** The attempt that has failed. */
interface Failed {
  readonly sentAt: number
  readonly lane: object
}

/** The provider failed it, or broke off. True if that shuts it. */
export const failed = (
  state: OverloadState,
  now: number,
  { lane, sentAt }: Failed,
  rules: Rules,
  random: number
): boolean => {
  // A later attempt was answered: this failure belongs to an outage that is over. An attempt that only seems let in
  // refutes nothing.
  if (sentAt < state.answeredAt) return false
  if (sentAt <= now) Recent.note(state.refusal, now, now - sentAt)
  // It seemed let in, and its refusal was late: so may be those of all that was sent with it.
  if (sentAt <= state.goodAt) state.goodAt = state.answeredAt
  look(state, now)
  begin(state, now, lane)
  if (rules.failures === 0 || !isWide(state)) return false
  if (state.mode === "flowing" && state.failures >= rules.failures && isStreak(state, now)) {
    shut(state, now, random)
    return true
  }
  const { allowance, startedAt } = state.recovery
  const many = Math.max(MIN_RECOVERY_REQUESTS, allowance / 2)
  if (state.mode !== "recovering" || sentAt <= startedAt || state.failures < many || !isStreak(state, now)) return false
  shut(state, now, random)
  return true
}

/** No connection can be made: nothing gets in. Whether that shuts it. */
export const unreachable = (state: OverloadState, now: number, rules: Rules, random: number): boolean => {
  const wasShut = state.mode === "shut"
  if (state.failures++ === 0) state.failingSince = now
  if (rules.failures === 0 || wasShut) return false
  shut(state, now, random)
  return true
}

/** True if nothing that was sent since then has got in. */
export const isUnwellSince = (state: OverloadState, now: number, sentAt: number): boolean => {
  look(state, now)
  return state.goodAt < sentAt
}

/**
 * A request has failed for the last time that it may, and nothing has got in that was sent since its first attempt failed.
 * Returns true if that shuts it, however few the failures.
 */
export const exhaust = (state: OverloadState, now: number, random: number): boolean => {
  if (state.mode === "shut" || !isWide(state)) return false
  // Its failure is counted already, but perhaps at the origin alone.
  if (state.failures === 0) {
    state.failures = 1
    state.failingSince = now
  }
  shut(state, now, random)
  return true
}

/** Unused lanes are forgotten after this. */
const MEMORY_MS = 300_000

/** True if nothing is lost with it. */
export const isForgettable = (state: OverloadState, now: number): boolean => {
  if (state.inFlight > 0 || state.waiting > 0) return false
  const isRested = isCalm(state) && Budget.isRested(state.budget) && Recent.max(state.peak, now) === 0
  return isRested || now - state.rate.secondAt > MEMORY_MS
}
