/**
 * A circuit, and those who wait for it. While it is open the first of them is called when its time has come, to go as the
 * probe. Once it has closed they do not all go at a stroke: each answer calls two more, so that their number doubles with
 * each round trip.
 */
import type { Ticker } from "../ticker.ts"
import { CircuitOpen, type WireRequest } from "../wire.ts"
import { Circuit, type Failure, type Limits, type Turns, type Verdict } from "./circuit.ts"
import { root } from "./context.ts"

/** How long, in ms, one who was called may take to go before another is. */
const patience = 1_000

/** How many an answer calls. */
const growth = 2

interface Waiter {
  readonly request: object
  readonly call: () => void
}

/** What makes two attempts attempts of one request. */
export const identity = (request: WireRequest): object => request.about ?? request

export class Guard {
  /** What it is about, for messages. */
  readonly name: string
  readonly #circuit: Circuit
  readonly #ticker: Ticker
  /** In the order in which they came. */
  readonly #waiters = new Set<Waiter>()
  /** Who was called to be the probe, and has not gone yet. */
  #called: object | undefined
  #cancel: (() => void) | undefined
  /** What failed last. */
  #last = ""

  constructor(name: string, limits: Limits, turns: Turns, ticker: Ticker) {
    this.name = name
    this.#circuit = new Circuit(limits, turns)
    this.#ticker = ticker
  }

  get isOpen(): boolean {
    return this.#circuit.isOpen
  }

  get isQuiet(): boolean {
    return this.#circuit.isQuiet && this.#waiters.size === 0
  }

  /** Whether nothing depends on it. */
  get isIdle(): boolean {
    return !this.#circuit.isOpen && this.#waiters.size === 0
  }

  get last(): string {
    return this.#last
  }

  /** Why a request can't go now. */
  refusal(request: WireRequest): CircuitOpen | undefined {
    if (!this.#circuit.isOpen) return undefined
    const now = this.#ticker.now()
    const left = this.#circuit.left(now)
    // Who was called may have been turned away elsewhere since, and nobody waits who could be called instead.
    const isCalled =
      this.#called === undefined || this.#called === identity(request) || this.#circuit.overdue(now) > patience
    if (left === 0 && isCalled) return undefined
    const ms = Math.max(left, 1)
    return new CircuitOpen(
      `requests to ${this.name} fail, so none is sent for another ${(ms / 1_000).toFixed(1)} s: ${this.#last}`,
      ms,
      (signal, most) => this.#wait(identity(request), signal, most)
    )
  }

  /** A request goes. If that makes it the probe, the result is to be called when it has ended. */
  goes(): (() => void) | undefined {
    if (!this.#circuit.isOpen) return undefined
    this.#called = undefined
    const withdraw = this.#circuit.probe(this.#ticker.now())
    this.#arm()
    return () => {
      withdraw(this.#ticker.now())
      this.#arm()
    }
  }

  failed(failure: Failure, why: string): Verdict {
    const verdict = this.#circuit.failed(failure, this.#ticker.now())
    if (verdict !== "ignored") this.#last = why
    if (verdict === "reopened") this.#call(Infinity)
    this.#arm()
    return verdict
  }

  /** Returns whether that closed it. */
  succeeded(): boolean {
    const closed = this.#circuit.succeeded()
    this.#called = undefined
    this.#call(growth)
    this.#arm()
    return closed
  }

  #wait(request: object, signal: AbortSignal, most: number): Promise<void> {
    if (this.isQuiet) return Promise.resolve()
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error)
      const end = (settle: () => void) => (): void => {
        this.#waiters.delete(waiter)
        signal.removeEventListener("abort", aborted)
        cancel?.()
        this.#arm()
        settle()
      }
      const call = end(resolve)
      const aborted = end(() => reject(signal.reason as Error))
      const waiter: Waiter = { request, call }
      const cancel = most === Infinity ? undefined : this.#ticker.after(most, call)
      signal.addEventListener("abort", aborted, { once: true })
      this.#waiters.add(waiter)
      this.#arm()
    })
  }

  #call(most: number): void {
    for (const waiter of [...this.#waiters].slice(0, most)) waiter.call()
  }

  /** Sets the timer anew, if anybody waits. */
  #arm(): void {
    this.#cancel?.()
    this.#cancel = undefined
    if (this.#waiters.size === 0) return
    const left = this.#circuit.left(this.#ticker.now())
    const ms = this.#circuit.isOpen && this.#called === undefined ? left : Math.max(left, patience)
    this.#cancel = root(this.#ticker.after, ms, this.#due)
  }

  #due = (): void => {
    this.#cancel = undefined
    const [first] = this.#waiters
    if (first === undefined) return
    if (this.#circuit.left(this.#ticker.now()) === 0) {
      if (this.#circuit.isOpen) this.#called = first.request
      first.call()
    }
    this.#arm()
  }
}
