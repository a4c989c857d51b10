/**
 * The call of one agent: its lease, its place in line, its work, in one step of its fiber, for every way to a client. While
 * it waits, for a client to be built or for its turn, it is this object and its place in a queue.
 */
import { AsyncResource } from "node:async_hooks"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"
import type * as Scope from "effect/Scope"
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

type Fiber = RuntimeFiber<unknown, unknown>

/** A call whose turn has come, or that need not wait for one. */
export interface StartedCall {
  readonly place: Failure.ErrorOrigin
  readonly fiber: Fiber
  /** @default its first request waits like any other */
  readonly start?: Start | undefined
}

/** Aborts work, whether it goes on or has ended. The effect waits for what is left to clean up. */
export type Abort = () => Effect.Effect<void>

/** The work of all calls of one kind, of which `F` is what differs from call to call. */
export interface Work<F, A> {
  /** Runs in the async context of its call. Calls `ended` once, perhaps at once. */
  readonly begin: (
    f: F,
    lent: Lendable,
    call: StartedCall,
    ended: (result: Effect.Effect<A, ClientError>) => void
  ) => Abort
}

class AgentCall<F, A> implements Starter {
  readonly order = nextOrder()
  since = 0
  readonly isAgent = true
  isWaiting = false
  waitsFor: Starter["waitsFor"] = "socket"
  readonly #source: AgentSource
  readonly #fiber: Fiber
  readonly #work: Work<F, A>
  readonly #f: F
  /** It is ended by `close`, and keeps its lease until then. */
  readonly #isScoped: boolean
  #resume: ((result: Effect.Effect<A, ClientError>) => void) | undefined
  readonly #lease: OpenLease<Lendable, unknown>
  #lent: Lendable | undefined
  /** The async context of the call, for what comes later. */
  #scope: AsyncResource | undefined
  #cancelTimer: (() => void) | undefined
  #started: Start | undefined
  #abort: Abort | undefined
  /** Its fiber has its result, or none is wanted any more. */
  #isOver = false

  constructor(source: AgentSource, fiber: Fiber, work: Work<F, A>, f: F, isScoped: boolean) {
    this.#source = source
    this.#fiber = fiber
    this.#work = work
    this.#f = f
    this.#isScoped = isScoped
    this.#lease = source.lease()
  }

  get owner(): object {
    return this.#lent?.owner ?? this
  }

  isQueued(): boolean {
    return this.isWaiting
  }

  begin(resume: (result: Effect.Effect<A, ClientError>) => void): void {
    this.#resume = resume
    this.#lease.acquire((exit) => this.#acquired(exit))
    if (this.#started !== undefined || this.#isOver) return
    this.#scope = new AsyncResource("clientele.agent", { requireManualDestroy: true })
    // Nothing is pending: see `asyncContext.ts`.
    this.#scope.emitDestroy()
  }

  start(start: Start): void {
    const scope = this.#scope
    this.#cancelTimer?.()
    this.#scope = undefined
    this.#started = start
    if (scope === undefined) this.#run()
    else scope.runInAsyncScope(this.#run, this)
  }

  fail(error: unknown): void {
    const { place } = this.#source
    const failure =
      error instanceof WireError
        ? Failure.fromWire(place, error, 0)
        : error instanceof TurnedAway
          ? Failure.fromTurnedAway(place, error, 0, Failure.nothingYet)
          : (error as ClientError)
    this.#end(Effect.fail(failure))
  }

  /** Gives up whatever it has come to, unless it has ended. The effect waits for finalizers that this begins. */
  interrupt(): Effect.Effect<void> {
    return this.#isOver ? Effect.void : this.close()
  }

  /** The same for one that has ended, too. */
  close(): Effect.Effect<void> {
    if (!this.#isOver) this.#leave()
    this.#started?.end()
    const cleaned = this.#abort?.() ?? Effect.void
    if (cleaned === Effect.void) return this.#lease.release()
    return Effect.zipRight(
      cleaned,
      Effect.suspend(() => this.#lease.release())
    )
  }

  #acquired(exit: Exit.Exit<Lendable, unknown>): void {
    if (this.#isOver) return
    const { bounds, deadline, queueTimeout, refused, ticker } = this.#source
    if (exit._tag === "Failure") return this.#end(Effect.mapError(exit as Exit.Exit<never, unknown>, refused))
    const { starts } = (this.#lent = exit.value)
    this.since = ticker.now()
    // A client that has just been built is in the midst of a fiber of its own.
    if (this.#scope === undefined && !starts.isBusy()) return this.start(starts.begin(this.order))
    const refusal = starts.join(this, bounds)
    if (refusal !== undefined) return this.fail(refusal)
    if (this.#started !== undefined || this.#isOver) return
    const ms = Math.min(queueTimeout, deadline)
    if (ms <= MAX_TIMEOUT_MS) this.#cancelTimer = ticker.after(ms, () => this.#late(), false)
  }

  #run(): void {
    const call = { place: this.#source.place, fiber: this.#fiber, start: this.#started }
    this.#abort = this.#work.begin(this.#f, this.#lent!, call, (result) => this.#end(result))
  }

  #late(): void {
    const { deadline, queueTimeout } = this.#source
    this.fail(deadline <= queueTimeout ? new DeadlinePassed("no", deadline) : queueTimedOut())
  }

  #end(result: Effect.Effect<A, ClientError>): void {
    if (this.#isOver) return
    this.#leave()
    let rest = Effect.void
    if (!this.#isScoped) {
      this.#started?.end()
      rest = this.#lease.release()
    }
    const ended = rest === Effect.void ? result : Effect.zipRight(Effect.uninterruptible(rest), result)
    // In its own context: another ends an agent that stands in line.
    if (this.#scope === undefined) this.#resume?.(ended)
    else this.#scope.runInAsyncScope(this.#resume!, undefined, ended)
  }

  #leave(): void {
    this.#isOver = true
    this.#cancelTimer?.()
    if (this.isWaiting) this.#lent?.starts.leave(this)
  }
}

/** Does the work of a call once its turn has come. Interruption gives up the lease, the turn and all requests. */
export const use = <F, A>(source: AgentSource, fiber: Fiber, work: Work<F, A>, f: F): Effect.Effect<A, ClientError> =>
  Effect.suspend(() => {
    const call = new AgentCall(source, fiber, work, f, false)
    const running = Effect.async<A, ClientError>((resume) => call.begin(resume))
    // A finalizer that `async` returned would come too late for a callback that interrupts its own fiber.
    return Effect.onInterrupt(running, () => call.interrupt())
  })

/** The same for work with a result that needs the lease: it is aborted and cleaned up when the scope closes. */
export const scoped = <F, A>(
  source: AgentSource,
  fiber: Fiber,
  work: Work<F, A>,
  f: F
): Effect.Effect<A, ClientError, Scope.Scope> =>
  Effect.suspend(() => {
    const call = new AgentCall(source, fiber, work, f, true)
    return Effect.zipRight(
      Effect.addFinalizer(() => call.close()),
      Effect.async<A, ClientError>((resume) => call.begin(resume))
    )
  })
