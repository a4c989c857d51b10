/**
 * The call of one agent: its lease, its place in line, its callback, in one step of its fiber. While it waits, for a
 * client to be built or for its turn, it is this object and its place in a queue.
 */
import { AsyncResource } from "node:async_hooks"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"
import type { ClientError } from "../../ClientError.ts"
import type { OpenLease } from "../lease/map.ts"
import { nextOrder } from "../quota/demand.ts"
import { queueTimedOut, TurnedAway } from "../quota/turnedAway.ts"
import { MAX_TIMEOUT_MS } from "../util/timers.ts"
import type { Ticker } from "../util/ticker.ts"
import { DeadlinePassed, WireError } from "../wire/errors.ts"
import * as Call from "./call.ts"
import * as Failure from "./errors/fromSdk.ts"
import type { Start, StartBounds, Starter, StartQueue } from "./startQueue.ts"

/** A client to be had. */
export interface Lendable {
  /** Typed by the provider through which it is asked for. */
  readonly client: unknown
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

class AgentCall<Client, A> implements Starter {
  readonly order = nextOrder()
  since = 0
  readonly isAgent = true
  isWaiting = false
  waitsFor: Starter["waitsFor"] = "socket"
  readonly #source: AgentSource
  readonly #fiber: Fiber
  readonly #f: (client: Client, signal: AbortSignal) => PromiseLike<A>
  readonly #resume: (result: Effect.Effect<A, ClientError>) => void
  readonly #lease: OpenLease<Lendable, unknown>
  #lent: Lendable | undefined
  /** The async context of the call, for what comes later. */
  #scope: AsyncResource | undefined
  #cancelTimer: (() => void) | undefined
  #started: Start | undefined
  #abort: (() => void) | undefined
  #isOver = false

  constructor(
    source: AgentSource,
    fiber: Fiber,
    f: (client: Client, signal: AbortSignal) => PromiseLike<A>,
    resume: (result: Effect.Effect<A, ClientError>) => void
  ) {
    this.#source = source
    this.#fiber = fiber
    this.#f = f
    this.#resume = resume
    this.#lease = source.lease()
  }

  get owner(): object {
    return this.#lent?.owner ?? this
  }

  isQueued(): boolean {
    return this.isWaiting
  }

  begin(): void {
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

  /** Gives up whatever it has come to. The effect waits for finalizers that this begins. */
  interrupt(): Effect.Effect<void> {
    if (this.#isOver) return Effect.void
    this.#leave()
    this.#abort?.()
    return this.#lease.release()
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
    const { client } = this.#lent!
    const { place } = this.#source
    const f = (signal: AbortSignal) => this.#f(client as Client, signal)
    const callback = { place, fiber: this.#fiber, f, start: this.#started }
    this.#abort = Call.run(callback, (exit) => this.#end(exit))
  }

  #late(): void {
    const { deadline, queueTimeout } = this.#source
    this.fail(deadline <= queueTimeout ? new DeadlinePassed("no", deadline) : queueTimedOut())
  }

  #end(result: Effect.Effect<A, ClientError>): void {
    if (this.#isOver) return
    this.#leave()
    const rest = this.#lease.release()
    const ended = rest === Effect.void ? result : Effect.zipRight(Effect.uninterruptible(rest), result)
    // In its own context: another ends an agent that stands in line.
    if (this.#scope === undefined) this.#resume(ended)
    else this.#scope.runInAsyncScope(this.#resume, undefined, ended)
  }

  #leave(): void {
    this.#isOver = true
    this.#cancelTimer?.()
    this.#started?.end()
    if (this.isWaiting) this.#lent?.starts.leave(this)
  }
}

/** Runs `f` with a client, once its turn has come. Interruption gives up the lease, the turn and all requests. */
export const use = <Client, A>(
  source: AgentSource,
  fiber: Fiber,
  f: (client: Client, signal: AbortSignal) => PromiseLike<A>
): Effect.Effect<A, ClientError> =>
  Effect.suspend(() => {
    let call: AgentCall<Client, A> | undefined
    const running = Effect.async<A, ClientError>((resume) => {
      call = new AgentCall(source, fiber, f, resume)
      call.begin()
    })
    // A finalizer that `async` returned would come too late for a callback that interrupts its own fiber.
    return Effect.onInterrupt(running, () => call?.interrupt() ?? Effect.void)
  })
