/**
 * The circuits of one origin. That no connection can be made concerns all requests. What comes of a request that was sent
 * speaks of what it asked for: another model, or path, may do well behind the same address, and what takes longer than one
 * caller's timeout may be in time for another's. So each of these has a circuit of its own, from its first failure until
 * it is well again. When several of them fail one after another, and nothing succeeds, it is the origin after all, which
 * therefore has one as well; to that each of them is one failure. While nothing fails there is nothing to do.
 */
import * as RetryAfter from "../retryAfter.ts"
import { live, type Ticker } from "../ticker.ts"
import {
  type CircuitOpen,
  DeadlinePassed,
  type WireError,
  type WirePool,
  type WireRequest,
  type WireResponse
} from "../wire.ts"
import type { Failure, Limits, Turns, Verdict } from "./circuit.ts"
import { Guard, identity } from "./guard.ts"

/** That a circuit opened or closed. */
export interface CircuitChange {
  readonly isOpen: boolean
  /** What it is about: an origin, and perhaps what is asked of it. */
  readonly of: string
  /** Why it opened. */
  readonly why: string
  readonly failures: number
  /** Milliseconds. */
  readonly cooldown: number
}

export interface HealthOptions {
  readonly origin: string
  /** Failures in a row that open a circuit; 0 for none that ever does. */
  readonly circuitFailures: number
  readonly circuitCooldown: number
  /** @default the process's own clock */
  readonly ticker?: Ticker | undefined
  /** A circuit has just opened: those who wait for a socket may be refused now. @default none */
  readonly opened?: (() => void) | undefined
  /** Must not throw. @default none */
  readonly onCircuit?: ((change: CircuitChange) => void) | undefined
}

/** An attempt as it was sent. */
interface Sent {
  readonly request: WireRequest
  readonly turn: number
}

/** More that fail for themselves are not looked after. */
const most = 1_000

/** Failures are forgotten after so many ms without any, unless they opened a circuit. */
const memory = 60_000

/** Bad gateway, unavailable, gateway timeout: nobody was there to answer. A Retry-After says that somebody is. */
const isAbsent = (status: number, headers: WireResponse["headers"]): boolean => {
  if (status < 502 || status > 504) return false
  const get = (wanted: string) => headers.find(([name]) => name === wanted)?.[1] ?? null
  return RetryAfter.parse({ get }) === undefined
}

const pathOf = ({ path }: WireRequest): string => path.split("?", 1)[0]!

const keyOf = (request: WireRequest): string => {
  const time = Math.min(request.deadline?.ms ?? Infinity, request.timeouts.headers)
  return `${time} ${request.method} ${request.path} ${request.about?.model ?? ""}`
}

export class Health {
  /** Whether a request has to be looked at before it goes. */
  isTroubled = false
  readonly turns: Turns = { now: 0 }
  readonly #options: HealthOptions
  readonly #limits: Limits
  readonly #ticker: Ticker
  /** Of connections. */
  readonly #dials: Guard
  /** Of whatever is asked. */
  readonly #all: Guard
  /** Of what asks for a certain model and path. */
  readonly #asked = new Map<string, Guard>()
  /** When something failed last. */
  #failedLast = 0

  constructor(options: HealthOptions) {
    this.#options = options
    this.#limits = { failures: options.circuitFailures, cooldown: options.circuitCooldown }
    this.#ticker = options.ticker ?? live
    this.#dials = this.#guard(`connections to ${options.origin}`)
    this.#all = this.#guard(options.origin)
  }

  /** How many circuits are open. */
  open(): number {
    return [this.#dials, this.#all, ...this.#asked.values()].filter((guard) => guard.isOpen).length
  }

  /** Why a request can't go. */
  refusal(request: WireRequest): CircuitOpen | undefined {
    for (const guard of this.#guardsOf(request)) {
      const refusal = guard.refusal(request)
      if (refusal !== undefined) return refusal
    }
    return undefined
  }

  /** Sends it if it can go. */
  tryOut(request: WireRequest, send: WirePool["request"]): Promise<WireResponse> {
    const refusal = this.refusal(request)
    if (refusal !== undefined) return Promise.reject(refusal)
    // Before it is sent: that it was is what makes it the probe.
    const ends = this.#guardsOf(request).flatMap((guard) => guard.goes() ?? [])
    const sent = send(request)
    for (const end of ends) sent.then(end, end)
    return sent
  }

  connected(): void {
    if (this.isTroubled) this.#succeeded(this.#dials, undefined)
  }

  /** `turn`: when it was begun. `waiting`: those who wait for it, of whom each is one more that failed. */
  notConnected(turn: number, error: WireError, waiting: Iterable<WireRequest>): void {
    if (this.#limits.failures === 0 || (error.reason !== "Connection" && error.reason !== "Timeout")) return
    for (const request of waiting) {
      const failure = { sent: turn, request: identity(request), error, late: false }
      if (this.#failed(this.#dials, failure, error.message) !== "ignored") break
    }
  }

  answered({ request, turn }: Sent, status: number, headers: WireResponse["headers"]): void {
    if (isAbsent(status, headers)) {
      const failure = { sent: turn, request: identity(request), error: undefined, late: false }
      this.#failedAt(request, failure, `it answers with status ${status}`)
    } else if (this.isTroubled) {
      const key = keyOf(request)
      const guard = this.#asked.get(key)
      if (guard !== undefined) this.#succeeded(guard, key)
      this.#succeeded(this.#all, undefined)
      this.#succeeded(this.#dials, undefined)
      this.#forget()
    }
  }

  /** It was sent, and not answered. */
  unanswered({ request, turn }: Sent, error: WireError): void {
    if (error.reason !== "Connection" && error.reason !== "Timeout") return
    // Its time went by elsewhere, and what was left of it was too short for anybody.
    if (error instanceof DeadlinePassed && !error.isTelling) return
    const late = error.reason === "Timeout"
    this.#failedAt(request, { sent: turn, request: identity(request), error, late }, error.message)
  }

  #failedAt(request: WireRequest, failure: Failure, why: string): void {
    if (this.#limits.failures === 0) return
    const guard = this.#guardFor(request)
    if (guard !== undefined) this.#failed(guard, failure, why)
    this.#failed(this.#all, { ...failure, request: guard ?? failure.request }, why)
  }

  #guardsOf(request: WireRequest): ReadonlyArray<Guard> {
    const asked = this.#asked.get(keyOf(request))
    return asked === undefined ? [this.#dials, this.#all] : [this.#dials, this.#all, asked]
  }

  #guardFor(request: WireRequest): Guard | undefined {
    const key = keyOf(request)
    const known = this.#asked.get(key)
    if (known !== undefined || this.#asked.size >= most) return known
    const model = request.about?.model ?? ""
    const what = `${request.method} ${pathOf(request)}${model === "" ? "" : ` of ${JSON.stringify(model)}`}`
    const guard = this.#guard(`${this.#options.origin} (${what})`)
    this.#asked.set(key, guard)
    return guard
  }

  #failed(guard: Guard, failure: Failure, why: string): Verdict {
    const verdict = guard.failed(failure, why)
    this.isTroubled = true
    this.#failedLast = this.#ticker.now()
    if (verdict === "opened") {
      this.#tell(guard, true)
      this.#options.opened?.()
    }
    return verdict
  }

  #succeeded(guard: Guard, key: string | undefined): void {
    if (guard.succeeded()) this.#tell(guard, false)
    if (key !== undefined && guard.isQuiet) this.#asked.delete(key)
    this.#look()
  }

  #tell(guard: Guard, isOpen: boolean): void {
    const { failures, cooldown } = this.#limits
    this.#options.onCircuit?.({ isOpen, of: guard.name, why: guard.last, failures, cooldown })
  }

  #look(): void {
    this.isTroubled = this.#asked.size > 0 || !this.#all.isQuiet || !this.#dials.isQuiet
  }

  /** What failed once, and was never asked for again, would be looked for at every request. */
  #forget(): void {
    if (!this.isTroubled || this.#ticker.now() - this.#failedLast < memory) return
    for (const [key, guard] of this.#asked) if (guard.isIdle) this.#asked.delete(key)
    this.#look()
  }

  #guard(name: string): Guard {
    return new Guard(name, this.#limits, this.turns, this.#ticker)
  }
}
