/** Opens calls for code without Effect: at once, or, where they would only wait, when their turn has come. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { ClientError } from "../../ClientError.ts"
import type { LeasedFetch } from "../client/leasedFetch.ts"
import * as CallContext from "../request/callContext.ts"
import * as Failure from "../request/errors/fromSdk.ts"
import { type AgentSource, LateCall, type Lendable } from "../request/lateCall.ts"
import type { PooledFetch } from "../request/pooledFetch.ts"
import type { Start } from "../request/startQueue.ts"
import { aborted } from "./promiseSend.ts"

/** A call to be written when it is sent: one that waits holds no text of it. */
export interface UnsentCall<A> {
  readonly signal: AbortSignal | undefined
  /** Rejects with a ClientError. `undefined` if the fetch has begun nothing. */
  send(fetch: PooledFetch["tryFetch"], context: CallContext.CallContext): Promise<A> | undefined
}

/** Ends the wait of a call before its turn; later it does nothing. */
export interface Waiting {
  readonly giveUp: () => void
}

/** A call that may wait. Gets its answer or a ClientError, once. */
export interface WaitingCall<A> extends UnsentCall<A> {
  answered(answer: A): void
  reject(error: unknown): void
  /** Called if it has to wait. @default its signal alone ends its wait */
  waits?(waiting: Waiting): void
}

class PromiseCall<A> extends LateCall implements Waiting {
  readonly #leased: LeasedFetch
  readonly #call: WaitingCall<A>

  constructor(leased: LeasedFetch, source: AgentSource, call: WaitingCall<A>) {
    super(source)
    this.#leased = leased
    this.#call = call
  }

  begin(): void {
    this.enter()
    if (!this.isPending) return
    this.#call.signal?.addEventListener("abort", this, { once: true })
    this.#call.waits?.(this)
  }

  giveUp(): void {
    if (!this.isPending) return
    this.leave()
    this.#fail(aborted(this.source.place, this.#call.signal?.reason))
  }

  /** Its signal has aborted. */
  handleEvent(): void {
    this.giveUp()
  }

  protected run({ fetch, starts }: Lendable, start: Start): void {
    this.#call.signal?.removeEventListener("abort", this)
    const send = (pooled: PooledFetch): Promise<A> => {
      this.#leased.note(pooled, starts)
      return this.#call.send(pooled.fetch, CallContext.make(undefined, undefined, undefined, start))!
    }
    // As nearly always; not so for clients that a layer made.
    const isBuilt = isDone(fetch) && Exit.isSuccess(fetch)
    const sent = isBuilt ? send(fetch.value) : Effect.runPromiseExit(fetch).then(valueOf).then(send)
    const answered = (answer: A): void => {
      this.leave()
      void this.release()
      this.#call.answered(answer)
    }
    sent.then(answered, (error: unknown) => {
      this.leave()
      this.#fail(error)
    })
  }

  protected refuse(cause: Cause.Cause<ClientError>): void {
    this.#fail(Cause.squash(cause))
  }

  #fail(error: unknown): void {
    this.#call.signal?.removeEventListener("abort", this)
    void this.release()
    this.#call.reject(Failure.fromThrown(this.source.place, error))
  }
}

const isDone = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Exit<A, E> => Exit.isExit(effect)

const valueOf = <A, E>(exit: Exit.Exit<A, E>): A => {
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}

/**
 * Sends a call that need not wait for its turn; `undefined` if nothing was begun. A call that is made within another, as in
 * the callback of `use`, belongs to that one, whose turn has come.
 */
export const openNow = <A>(
  place: Failure.ErrorOrigin,
  leased: LeasedFetch,
  call: UnsentCall<A>,
  within: CallContext.CallContext | undefined
): Promise<A> | undefined => {
  if (call.signal?.aborted === true) return Promise.reject(aborted(place, call.signal.reason))
  if (within !== undefined) return call.send(leased.fetch, within)
  const fetch = leased.ready()
  return fetch && call.send(fetch, CallContext.make(undefined, undefined))
}

/** Sends the call when its turn has come. */
export const openLate = <A>(place: Failure.ErrorOrigin, leased: LeasedFetch, call: WaitingCall<A>): void => {
  const open = (source: AgentSource | undefined): void => {
    if (call.signal?.aborted === true) return call.reject(aborted(place, call.signal.reason))
    if (source !== undefined) return new PromiseCall(leased, source, call).begin()
    call.send(leased.fetch, CallContext.make(undefined, undefined))!.then(
      (answer) => call.answered(answer),
      (error: unknown) => call.reject(error)
    )
  }
  const failed = (error: unknown): void => call.reject(Failure.fromThrown(place, error))
  try {
    const source = leased.source()
    if (source instanceof Promise) source.then(open, failed)
    else open(source)
  } catch (error) {
    failed(error)
  }
}
