/** The call of an agent as one step of its fiber, for every way to a client: its wait, its work, its end. */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { RuntimeFiber } from "effect/Fiber"
import type { ClientError } from "../../ClientError.ts"
import type { Finalizers } from "../util/finalizers.ts"
import type * as Failure from "./errors/fromSdk.ts"
import { type AgentSource, LateCall, type Lendable } from "./lateCall.ts"
import type { Start } from "./startQueue.ts"

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

class AgentCall<F, A> extends LateCall {
  readonly #fiber: Fiber
  readonly #work: Work<F, A>
  readonly #f: F
  /** It is ended by `close`, and keeps its lease until then. */
  readonly #isHeld: boolean
  #resume: ((result: Effect.Effect<A, ClientError>) => void) | undefined
  #abort: Abort | undefined

  constructor(source: AgentSource, fiber: Fiber, work: Work<F, A>, f: F, isHeld: boolean) {
    super(source)
    this.#fiber = fiber
    this.#work = work
    this.#f = f
    this.#isHeld = isHeld
  }

  begin(resume: (result: Effect.Effect<A, ClientError>) => void): void {
    this.#resume = resume
    this.enter()
  }

  /** Gives up whatever it has come to, unless it has ended. The effect waits for finalizers that this begins. */
  interrupt(): Effect.Effect<void> {
    return this.isOver ? Effect.void : this.close()
  }

  /** The same for one that has ended, too. */
  close(): Effect.Effect<void> {
    if (!this.isOver) this.leave()
    this.endStart()
    const cleaned = this.#abort?.() ?? Effect.void
    if (cleaned === Effect.void) return this.release()
    return Effect.zipRight(
      cleaned,
      Effect.suspend(() => this.release())
    )
  }

  protected run(lent: Lendable, start: Start): void {
    const call = { place: this.source.place, fiber: this.#fiber, start }
    this.#abort = this.#work.begin(this.#f, lent, call, (result) => {
      if (this.isOver) return
      this.leave()
      this.#end(result)
    })
  }

  protected refuse(cause: Cause.Cause<ClientError>): void {
    this.#end(Effect.failCause(cause))
  }

  #end(result: Effect.Effect<A, ClientError>): void {
    const rest = this.#isHeld ? Effect.void : this.release()
    this.#resume?.(rest === Effect.void ? result : Effect.zipRight(Effect.uninterruptible(rest), result))
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

/** The same for work with a result that needs the lease: the finalizers abort it and clean up. */
export const held = <F, A>(
  source: AgentSource,
  fiber: Fiber,
  work: Work<F, A>,
  f: F,
  finalizers: Finalizers
): Effect.Effect<A, ClientError> =>
  Effect.suspend(() => {
    const call = new AgentCall(source, fiber, work, f, true)
    finalizers.add(() => call.close())
    return Effect.async<A, ClientError>((resume) => call.begin(resume))
  })
