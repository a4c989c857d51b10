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

/** A call to be written when it is sent: one that stands in line holds no text of it. */
export interface UnsentCall<A> {
  readonly signal: AbortSignal | undefined
  /** Rejects with a ClientError. `undefined` if the fetch has begun nothing. */
  readonly send: (fetch: PooledFetch["tryFetch"], context: CallContext.CallContext) => Promise<A> | undefined
  /** Receives what ends the wait of a call for which its caller waits no more. @default its signal alone does */
  readonly onWait?: (giveUp: () => void) => void
}

class PromiseCall<A> extends LateCall {
  readonly #leased: LeasedFetch
  readonly #call: UnsentCall<A>
  readonly #resolve: (answer: A) => void
  readonly #reject: (error: unknown) => void

  constructor(
    leased: LeasedFetch,
    source: AgentSource,
    call: UnsentCall<A>,
    resolve: (answer: A) => void,
    reject: (error: unknown) => void
  ) {
    super(source)
    this.#leased = leased
    this.#call = call
    this.#resolve = resolve
    this.#reject = reject
    this.enter()
    if (!this.isPending) return
    call.signal?.addEventListener("abort", this, { once: true })
    call.onWait?.(() => this.handleEvent())
  }

  /** Its caller has given up. */
  handleEvent(): void {
    if (!this.isPending) return
    this.leave()
    this.#fail(aborted(this.source.place, this.#call.signal?.reason))
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
      this.#resolve(answer)
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
    this.#reject(Failure.fromThrown(this.source.place, error))
  }
}

const isDone = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Exit<A, E> => Exit.isExit(effect)

const valueOf = <A, E>(exit: Exit.Exit<A, E>): A => {
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}

/** `source` is `undefined` where a fetch is the only way. */
const openLate = <A>(leased: LeasedFetch, source: AgentSource | undefined, call: UnsentCall<A>): Promise<A> =>
  source === undefined
    ? call.send(leased.fetch, CallContext.make(undefined, undefined))!
    : new Promise((resolve, reject) => void new PromiseCall(leased, source, call, resolve, reject))

/**
 * Rejects with a ClientError. A call that is made within another, as in the callback of `use`, belongs to that one: it is
 * sent in its turn.
 */
export const open = <A>(
  place: Failure.ErrorOrigin,
  leased: LeasedFetch,
  call: UnsentCall<A>,
  within: CallContext.CallContext | undefined
): Promise<A> => {
  if (call.signal?.aborted === true) return Promise.reject(aborted(place, call.signal.reason))
  if (within !== undefined) return call.send(leased.fetch, within)!
  const fetch = leased.ready()
  const sent = fetch && call.send(fetch, CallContext.make(undefined, undefined))
  if (sent !== undefined) return sent
  const failed = (error: unknown): Promise<never> => Promise.reject(Failure.fromThrown(place, error))
  try {
    const source = leased.source()
    if (!(source instanceof Promise)) return openLate(leased, source, call)
    return source.then((source) => openLate(leased, source, call), failed)
  } catch (error) {
    return failed(error)
  }
}
