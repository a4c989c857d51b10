/**
 * A call that starts when its turn has come: its lease and its place in line, for every way to a client. While it waits, for
 * a client to be built or for its turn, it is this object and its place in a queue.
 */
import { AsyncResource } from "node:async_hooks"
import * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { ClientError, PoolError } from "../../ClientError.ts"
import type { OpenLease } from "../lease/map.ts"
import { nextOrder } from "../quota/demand.ts"
import { queueTimedOut, TurnedAway } from "../quota/turnedAway.ts"
import { MAX_TIMEOUT_MS } from "../util/timers.ts"
import type { Ticker } from "../util/ticker.ts"
import { DeadlinePassed, WireError } from "../wire/errors.ts"
import * as Failure from "./errors/fromSdk.ts"
import type { PooledFetch } from "./pooledFetch.ts"
import type { Start, StartBounds, Starter, StartQueue } from "./startQueue.ts"

/** A client to be had. */
export interface Lendable {
  /** Typed by the provider through which it is asked for. */
  readonly client: unknown
  /** Its fetch, which a client that some layer made gets when somebody asks for it. */
  readonly fetch: Effect.Effect<PooledFetch, PoolError>
  readonly starts: StartQueue
  /** Closes with the client. */
  readonly owner: object
}

/** The client that agents ask for, and how long they wait for their turn. */
export interface AgentSource {
  readonly place: Failure.ErrorOrigin
  readonly lease: () => OpenLease<Lendable, unknown>
  /** The error of a lease that failed. */
  readonly refused: (error: unknown) => ClientError
  readonly bounds: StartBounds
  /** Milliseconds, `Infinity` for none. */
  readonly queueTimeout: number
  readonly deadline: number
  readonly ticker: Ticker
}

export abstract class LateCall implements Starter {
  readonly order = nextOrder()
  since = 0
  readonly isAgent = true
  isWaiting = false
  waitsFor: Starter["waitsFor"] = "socket"
  protected readonly source: AgentSource
  readonly #lease: OpenLease<Lendable, unknown>
  #lent: Lendable | undefined
  /** The async context of the call, for what comes later. */
  #scope: AsyncResource | undefined
  #cancelTimer: (() => void) | undefined
  #started: Start | undefined
  #isOver = false

  constructor(source: AgentSource) {
    this.source = source
    this.#lease = source.lease()
  }

  /** Its turn has come. Runs in the async context of the call. */
  protected abstract run(lent: Lendable, start: Start): void
  /** The same for one that gets no turn: it has left already. */
  protected abstract refuse(cause: Cause.Cause<ClientError>): void

  get owner(): object {
    return this.#lent?.owner ?? this
  }

  isQueued(): boolean {
    return this.isWaiting
  }

  start(start: Start): void {
    const scope = this.#scope
    this.#cancelTimer?.()
    this.#scope = undefined
    this.#started = start
    if (scope === undefined) this.run(this.#lent!, start)
    else scope.runInAsyncScope(this.run, this, this.#lent!, start)
  }

  fail(error: unknown): void {
    const { place } = this.source
    const failure =
      error instanceof WireError
        ? Failure.fromWire(place, error, 0)
        : error instanceof TurnedAway
          ? Failure.fromTurnedAway(place, error, 0, Failure.nothingYet)
          : (error as ClientError)
    this.#refuse(Cause.fail(failure))
  }

  /** Runs or refuses it, perhaps at once. */
  protected enter(): void {
    this.#lease.acquire((exit) => this.#acquired(exit))
    if (!this.isPending) return
    this.#scope = new AsyncResource("clientele.agent", { requireManualDestroy: true })
    // Nothing is pending: see `asyncContext.ts`.
    this.#scope.emitDestroy()
  }

  /** It waits for a client, or for its turn. */
  protected get isPending(): boolean {
    return this.#started === undefined && !this.#isOver
  }

  /** It has its result, or none is wanted any more. */
  protected get isOver(): boolean {
    return this.#isOver
  }

  /** Ends its wait, and lets no result of it count. */
  protected leave(): void {
    this.#isOver = true
    this.#cancelTimer?.()
    if (this.isWaiting) this.#lent?.starts.leave(this)
  }

  /** It sends no more requests. */
  protected endStart(): void {
    this.#started?.end()
  }

  /** Ends its lease. The effect waits for finalizers that this begins. */
  protected release(): Effect.Effect<void> {
    this.endStart()
    return this.#lease.release()
  }

  #acquired(exit: Exit.Exit<Lendable, unknown>): void {
    if (this.#isOver) return
    const { bounds, deadline, queueTimeout, refused, ticker } = this.source
    if (exit._tag === "Failure") return this.#refuse(Cause.map(exit.cause, refused))
    const { starts } = (this.#lent = exit.value)
    this.since = ticker.now()
    // A client that has just been built is in the midst of a fiber of its own.
    if (this.#scope === undefined && !starts.isBusy()) return this.start(starts.begin(this.order))
    const refusal = starts.join(this, bounds)
    if (refusal !== undefined) return this.fail(refusal)
    if (!this.isPending) return
    const ms = Math.min(queueTimeout, deadline)
    if (ms <= MAX_TIMEOUT_MS) this.#cancelTimer = ticker.after(ms, () => this.#late(), false)
  }

  #refuse(cause: Cause.Cause<ClientError>): void {
    if (this.#isOver) return
    this.leave()
    // In its own context: another refuses a call that stands in line.
    if (this.#scope === undefined) this.refuse(cause)
    else this.#scope.runInAsyncScope(this.refuse, this, cause)
  }

  #late(): void {
    const { deadline, queueTimeout } = this.source
    this.fail(deadline <= queueTimeout ? new DeadlinePassed("no", deadline) : queueTimedOut())
  }
}
