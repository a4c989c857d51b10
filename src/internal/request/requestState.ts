/** One request: its settings, its time, its lease, and what its attempts have come to, until its last body has ended. */
import { randomUUID } from "node:crypto"
import { PoolError, RequestError } from "../../ClientError.ts"
import type { RetryAmbiguous } from "../config/make.ts"
import { type PreparedRequest, prepare } from "../http/request.ts"
import type { Timeouts } from "../http/types.ts"
import type { Handle } from "../../LeaseMap.ts"
import { Demand } from "../quota/demand.ts"
import { TurnedAway } from "../quota/turnedAway.ts"
import { type Authorize, hiddenWith } from "../redaction/redact.ts"
import type { AttemptRecorder } from "../telemetry/attempts.ts"
import type { Call, Calls } from "../telemetry/calls.ts"
import * as Otel from "../telemetry/otelSpans.ts"
import type { Transport } from "../../Transport.ts"
import type { Ticker } from "../util/ticker.ts"
import { DeadlinePassed, type Oddity, WireError } from "../wire/errors.ts"
import { signalOf } from "../wire/cancellation.ts"
import * as CallContext from "./callContext.ts"
import * as Deadline from "./deadline.ts"
import * as Failure from "./errors/fromSdk.ts"
import { elsewhere, unsendable } from "./errors/unsent.ts"
import * as Idempotency from "./idempotency.ts"
import type { KeyPool } from "./keyPool.ts"
import { type Own, ownOf } from "./pooledFetch.ts"
import { awaitStart } from "./requestStart.ts"
import type { StartBounds, StartFacts, StartQueue } from "./startQueue.ts"
import type { Waits } from "./waits.ts"

/** Dependencies that all requests of a client share. */
export interface RequestDeps {
  readonly place: Failure.ErrorOrigin
  readonly transport: Pick<Transport, "origin" | "pool">
  /** One for each credential, of which there is at least one. */
  readonly keyPool: KeyPool
  readonly authorize: Authorize | undefined
  /** The configured headers, names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Secrets in the configured headers and parameters, which errors must not contain. */
  readonly hidden: ReadonlyArray<string>
  readonly lease: Pick<Handle, "retain" | "join" | "release">
  /** True once the client layer has been closed, which ends all leases. */
  readonly isClosed: () => boolean
  readonly timeouts: Timeouts
  /** Milliseconds for a whole request, `Infinity` for none. */
  readonly deadline: number
  readonly maxRetries: number
  readonly retryAmbiguous: RetryAmbiguous
  readonly maxRetryAfter: number
  /** The value of `Definition.printsEvents`. */
  readonly prints: boolean
  readonly queueTimeout: number
  /** The line of the client's tenant, and its bounds. @default nobody stands in line */
  readonly starts?: StartQueue | undefined
  readonly startBounds?: StartBounds | undefined
  readonly ticker: Ticker
  readonly recorder: AttemptRecorder
  readonly calls: Calls
  /** Told of what nothing here has heard of. */
  readonly note: (oddity: Oddity) => void
  /** Called with +1 and -1 as requests come and go. */
  readonly count: (change: 1 | -1) => void
}

type Input = Parameters<typeof globalThis.fetch>[0]

export class RequestState {
  readonly deps: RequestDeps
  readonly call: CallContext.CallContext | undefined
  readonly maxRetries: number
  readonly timeouts: Timeouts
  readonly deadline: Deadline.Deadline | undefined
  /** Outcome of the attempts before the current one, which the request's own failure reports as well. */
  before = Failure.nothingYet
  /** Number of times it was sent. */
  attempts = 0
  /** The Idempotency-Key that all attempts carry, where the caller gave none; by itself it permits no repetition. */
  key: string | undefined
  /** Records its span and its metrics, if they are wanted and no caller records them. */
  metered: Call | undefined
  /** True once it was requeued for a new secret. */
  reloaded = false
  /** Milliseconds that it stood in line before its first attempt, for which the metrics of waits have yet to account. */
  quotaWaitMs = 0
  socketWaitMs = 0
  /** Its start in the line of its tenant. */
  #start: StartFacts | undefined
  readonly #settings: Own | undefined
  readonly #waits: Waits
  #request: PreparedRequest | undefined
  #demand: Demand | undefined
  #hidden: ReadonlyArray<string> | undefined
  /** Aborts its waits when the client closes, or its deadline passes. */
  #waiter: AbortController | undefined
  #signal: AbortSignal | undefined
  /** The request holds its lease, and so does each attempt until its body has ended. */
  #holds = 1

  constructor(deps: RequestDeps, waits: Waits, init: RequestInit | undefined) {
    const settings = ownOf(init)
    this.deps = deps
    this.#waits = waits
    this.#settings = settings
    this.call = settings?.call ?? CallContext.current()
    this.maxRetries = settings?.maxRetries ?? deps.maxRetries
    this.timeouts = settings?.timeout === undefined ? deps.timeouts : { ...deps.timeouts, headers: settings.timeout }
    // A call that stood in line before its callback started has had that time already.
    this.#start = this.call?.start?.take(deps.starts)?.facts
    this.deadline = Deadline.make(deps.deadline, deps.ticker, this.#start?.waitedMs)
    deps.count(1)
  }

  /** Once it has been prepared. */
  get request(): PreparedRequest {
    return this.#request!
  }

  /** Its model, its cost and its place in line, once it has been prepared. */
  get demand(): Demand {
    return this.#demand!
  }

  /** Reads what is to be sent. A promise only where the body has to be read first. */
  prepare(input: Input, init: RequestInit | undefined): Promise<void> | undefined {
    const { place } = this.deps
    const fail = (cause: unknown): never => {
      throw cause instanceof DeadlinePassed ? cause : unsendable(place, cause)
    }
    let prepared: ReturnType<typeof prepare>
    try {
      prepared = prepare(input, init)
    } catch (cause) {
      return fail(cause)
    }
    if (!(prepared instanceof Promise)) return this.#prepared(prepared)
    const ready = this.deadline === undefined ? prepared : this.deadline.within(prepared)
    return ready.catch(fail).then((request) => this.#prepared(request))
  }

  #prepared(request: PreparedRequest): undefined {
    const { calls, maxRetryAfter, place, ticker, transport } = this.deps
    if (request.origin !== transport.origin) throw elsewhere(place, transport.origin, request.origin)
    this.#request = request
    const demand = (this.#demand = new Demand(request, maxRetryAfter, this.#start?.order))
    this.deps.starts?.sees(demand.model)
    if (this.#settings?.isMetered !== true) {
      const tracing = this.#settings?.isTraced === true ? undefined : (this.call?.tracing ?? Otel.start)
      this.metered = calls(request, demand.model, ticker.now, tracing)
    }
    if (this.#start !== undefined) this.#waited(this.#start)
    this.metered?.waited(this.waitedMs)
    const isKeyed = Idempotency.isSafe(request.method) || request.headers[Idempotency.IDEMPOTENCY_KEY] !== undefined
    if (this.maxRetries > 0 && !isKeyed) this.key = randomUUID()
  }

  /** Milliseconds that it stood in line before its first attempt. */
  get waitedMs(): number {
    return this.#start?.waitedMs ?? 0
  }

  /** Waits behind the agents that came before it. `undefined` if there are none, or it has waited. */
  awaitStart(): Promise<void> | undefined {
    const { queueTimeout: timeout, startBounds, starts, ticker } = this.deps
    if (starts === undefined || startBounds === undefined || !starts.holds(this.#start)) return undefined
    const { signal, waitedMs } = this
    const bounds = this.#start?.isAdmitted === true ? undefined : startBounds
    const terms = { order: this.demand.order, waitedMs, signal, timeout, bounds, ticker }
    return awaitStart(starts, terms).then((start) => {
      this.#start = start.facts
      this.#waited(start.facts)
      start.end()
    })
  }

  /** Records the last wait, which includes that of an early start. */
  #waited({ waitedFor, waitedMs }: StartFacts): void {
    this.quotaWaitMs = 0
    this.socketWaitMs = 0
    if (waitedFor === "quota") this.quotaWaitMs = waitedMs
    else this.socketWaitMs = waitedMs
  }

  /** The caller's own signal, the call's, and that of the client, for waits: made when it is first needed. */
  get signal(): AbortSignal {
    if (this.#signal !== undefined) return this.#signal
    const waiter = (this.#waiter = new AbortController())
    this.#waits.add(waiter)
    this.deadline?.ends(waiter)
    const outer = this.call?.signal
    const outerSignal = outer === undefined ? undefined : signalOf(outer)
    const all = [this.request.signal, outerSignal, waiter.signal].filter((one) => one !== undefined)
    return (this.#signal = AbortSignal.any(all))
  }

  /** Texts beside the key that no error may contain. */
  get hidden(): ReadonlyArray<string> {
    return (this.#hidden ??= hiddenWith(this.deps.hidden, this.request.headers))
  }

  hold(): void {
    this.#holds++
  }

  letGo(): void {
    if (--this.#holds > 0) return
    this.deadline?.cancel()
    this.deps.count(-1)
    this.deps.lease.release()
    this.metered?.ended()
  }

  /** The error that the reader of a body gets which a failure of the wire has cut. */
  cut(error: WireError): unknown {
    const failure = Failure.fromWire(this.deps.place, error, this.attempts, this.before)
    return this.#settings?.told === undefined ? failure : this.#settings.told(failure)
  }

  /** The error that the caller gets. */
  failed(error: unknown): unknown {
    const { place } = this.deps
    const failure =
      error instanceof WireError
        ? Failure.fromWire(place, error, this.attempts, this.before)
        : error instanceof TurnedAway
          ? Failure.fromTurnedAway(place, error, this.attempts, this.before)
          : error
    this.metered?.failed(failure)
    if (this.call !== undefined && (failure instanceof PoolError || failure instanceof RequestError))
      this.call.failure = failure
    return failure
  }

  /** It has its answer, or has failed. Bodies may still come. */
  settled(): void {
    if (this.#waiter !== undefined) this.#waits.delete(this.#waiter)
    this.letGo()
  }
}
