/**
 * The circuits of one origin. That no connection can be made speaks of the origin, and concerns all requests. What comes of
 * a request that was sent speaks of what it asked for: another model, or path, may do well behind the same address, and
 * what takes longer than one caller's timeout may be in time for another's. So each of these has a circuit of its own,
 * from its first failure until it is well again; while nothing fails there is none, and nothing to do.
 */
import * as RetryAfter from "../retryAfter.ts"
import { live, type Ticker } from "../ticker.ts"
import type { CircuitOpen, WireError, WireRequest, WireResponse } from "../wire.ts"
import type { Limits, Turns } from "./circuit.ts"
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
  const { deadline, headers } = request.timeouts
  return `${Math.min(deadline, headers)} ${request.method} ${request.path} ${request.about?.model ?? ""}`
}

export class Health {
  /** Whether a request has to be looked at before it goes. */
  isTroubled = false
  readonly turns: Turns = { now: 0 }
  readonly #options: HealthOptions
  readonly #limits: Limits
  readonly #ticker: Ticker
  readonly #dials: Guard
  readonly #asked = new Map<string, Guard>()
  /** When something failed last. */
  #failedLast = 0

  constructor(options: HealthOptions) {
    this.#options = options
    this.#limits = { failures: options.circuitFailures, cooldown: options.circuitCooldown }
    this.#ticker = options.ticker ?? live
    this.#dials = this.#guard(options.origin)
  }

  /** How many circuits are open. */
  open(): number {
    let count = this.#dials.isOpen ? 1 : 0
    for (const guard of this.#asked.values()) if (guard.isOpen) count++
    return count
  }

  /** Why a request can't go. */
  refusal(request: WireRequest): CircuitOpen | undefined {
    return this.#dials.refusal(request) ?? this.#asked.get(keyOf(request))?.refusal(request)
  }

  /** A request goes, having been asked about. What it returns, if anything, is to be called when it has ended. */
  goes(request: WireRequest): (() => void) | undefined {
    const dialled = this.#dials.goes()
    const asked = this.#asked.get(keyOf(request))?.goes()
    if (dialled === undefined && asked === undefined) return undefined
    return () => {
      dialled?.()
      asked?.()
    }
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
      this.#succeeded(this.#dials, undefined)
      this.#forget()
    }
  }

  /** It was sent, and not answered. */
  unanswered({ request, turn }: Sent, error: WireError): void {
    if (error.reason !== "Connection" && error.reason !== "Timeout") return
    const late = error.reason === "Timeout"
    this.#failedAt(request, { sent: turn, request: identity(request), error, late }, error.message)
  }

  #failedAt(request: WireRequest, failure: Parameters<Guard["failed"]>[0], why: string): void {
    if (this.#limits.failures === 0) return
    const key = keyOf(request)
    let guard = this.#asked.get(key)
    if (guard === undefined) {
      if (this.#asked.size >= most) return
      const model = request.about?.model ?? ""
      const what = `${request.method} ${pathOf(request)}${model === "" ? "" : ` of ${JSON.stringify(model)}`}`
      this.#asked.set(key, (guard = this.#guard(`${this.#options.origin} (${what})`)))
    }
    this.#failed(guard, failure, why)
  }

  #failed(guard: Guard, failure: Parameters<Guard["failed"]>[0], why: string): ReturnType<Guard["failed"]> {
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
    this.isTroubled = this.#asked.size > 0 || !this.#dials.isQuiet
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
