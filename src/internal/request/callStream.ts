/**
 * A stream of what a caller's function returns: errors become ours, interruption aborts what is under way. One channel, as
 * each that is put around another costs as much as a few elements, and elements in batches of what has come.
 */
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { ClientError } from "../../ClientError.ts"
import type { Abort, StartedCall, Work } from "./agentCall.ts"
import * as CallContext from "./callContext.ts"
import * as Failure from "./errors/fromSdk.ts"
import { clearTimeout, setImmediate, setTimeout } from "../util/timers.ts"
import * as Spans from "../telemetry/effectSpans.ts"
import type { Finalizers } from "../util/finalizers.ts"
import { batches } from "../util/pullStream.ts"

/** Milliseconds that an aborted iterator may take to clean up before we stop waiting for it. */
const CLEANUP_TIMEOUT_MS = 1_000

/** Never rejects. By the real clock: under a test's clock an iterator that hangs would hang the test. */
const cleanedUp = async (iterator: AsyncIterator<unknown>): Promise<void> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLEANUP_TIMEOUT_MS)
  })
  try {
    await Promise.race([iterator.return?.(), late])
  } catch {
    // It was aborted, and its outcome no longer matters.
  } finally {
    clearTimeout(timer)
  }
}

const iteratorOf = <A>(iterable: AsyncIterable<A>): AsyncIterator<A> => {
  // Types don't bind callers who write JavaScript, or cast.
  if (typeof iterable?.[Symbol.asyncIterator] === "function") return iterable[Symbol.asyncIterator]()
  throw new TypeError("not an async iterable, which `stream` needs; SDKs return one for `stream: true`")
}

/**
 * True for the `Stream` of SDKs made by Stainless. It reads one response, event by event, where other iterables may send
 * requests for their elements: pages, or the steps of a loop.
 */
const readsEvents = (iterable: object): boolean =>
  "controller" in iterable && "tee" in iterable && "toReadableStream" in iterable

type Batch<A> = ReadonlyArray<A> | undefined
type Next<A> = Effect.Effect<Batch<A>, ClientError>

/** Elements of an iterable as they are asked for, those that have come together. */
export class Elements<A> {
  readonly #place: Failure.ErrorOrigin
  readonly #context: CallContext.CallContext
  readonly #iterator: AsyncIterator<A>
  readonly #isBatched: boolean
  #batch: Array<A> = []
  /** End of the iterable, given once the elements before it have been. */
  #end: Effect.Effect<undefined, ClientError> | undefined
  #resume: ((next: Next<A>) => void) | undefined
  #isPulling = false
  #isFlushing = false
  /** Events of which the elements have been taken. */
  #taken = 0

  constructor(place: Failure.ErrorOrigin, context: CallContext.CallContext, iterable: AsyncIterable<A>) {
    this.#place = place
    this.#context = context
    this.#iterator = iteratorOf(iterable)
    this.#isBatched = readsEvents(iterable)
  }

  /** `undefined` after the last. */
  readonly next: Next<A> = Effect.async((resume) => {
    this.#resume = resume
    if (this.#batch.length > 0 || this.#end !== undefined) return this.#give()
    if (!this.#isPulling) this.#pull()
  })

  /** To be run once its requests have been aborted: a generator queues `return` behind a pending `next`. */
  readonly close = Effect.suspend(() =>
    this.#end !== undefined || this.#iterator.return === undefined
      ? Effect.void
      : Effect.promise(() => cleanedUp(this.#iterator))
  )

  readonly #ask = (): Promise<IteratorResult<A, unknown>> => this.#iterator.next()

  /**
   * Paging and multi-step iterables send requests from `next`, so it needs the context as well. Its reactions are outside, in
   * that of the fiber, which goes on in them.
   */
  #pull(): void {
    this.#isPulling = true
    try {
      CallContext.run(this.#context, this.#ask).then(this.#take, this.#fail)
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  readonly #take = ({ done, value }: IteratorResult<A, unknown>): void => {
    this.#isPulling = false
    if (done === true) return this.#finish(Effect.succeed(undefined))
    this.#batch.push(value)
    this.#taken++
    // Late for a batch that has been given: it waits to be asked for.
    if (this.#resume === undefined) return
    if (!this.#hasMore()) return this.#give()
    if (!this.#isFlushing) setImmediate(this.#flush)
    this.#isFlushing = true
    this.#pull()
  }

  readonly #fail = (thrown: unknown): void =>
    this.#finish(Effect.fail(Failure.fromThrown(this.#place, thrown, this.#context)))

  #finish(end: Effect.Effect<undefined, ClientError>): void {
    this.#isPulling = false
    this.#end = end
    this.#give()
  }

  /** True if events have been read that are not among the elements taken, unless the SDK passes over them. */
  #hasMore(): boolean {
    return this.#isBatched && this.#taken < this.#eventsRead()
  }

  #eventsRead(): number {
    return this.#context.read?.events ?? 0
  }

  /** The SDK takes but microtasks for events that have been read: those that are missing by now it has passed over. */
  readonly #flush = (): void => {
    this.#isFlushing = false
    if (this.#resume === undefined || this.#batch.length === 0) return
    this.#taken = this.#eventsRead()
    this.#give()
  }

  #give(): void {
    const resume = this.#resume
    if (resume === undefined) return
    this.#resume = undefined
    const batch = this.#batch
    if (batch.length === 0) return resume(this.#end!)
    this.#batch = []
    resume(Effect.succeed(batch))
  }
}

/** Reason with which requests are aborted: nobody reads it, and to make one costs more than to read an event. */
const isOver = new DOMException("the stream is over", "AbortError")

type Ask<A> = (signal: AbortSignal) => PromiseLike<AsyncIterable<A>>

/** Asks for a stream. To abort it is to abort its requests, then to close its iterator. */
const begin = <A>(
  ask: Ask<A>,
  { fiber, place, start }: StartedCall,
  ended: (result: Effect.Effect<Elements<A>, ClientError>) => void
): Abort => {
  const controller = new AbortController()
  const { signal } = controller
  const span = fiber.currentSpan
  const context = CallContext.make(signal, span, Spans.tracing(fiber, span), start)
  let elements: Elements<A> | undefined
  const failed = (thrown: unknown): void => ended(Effect.fail(Failure.fromThrown(place, thrown, context)))
  try {
    CallContext.run(context, () =>
      // Noted in the turn in which it comes, so that whatever ends the stream finds it.
      ask(signal).then((iterable) => (elements = new Elements(place, context, iterable)))
    ).then((opened) => ended(Effect.succeed(opened)), failed)
  } catch (thrown) {
    failed(thrown)
  }
  return () => {
    controller.abort(isOver)
    return elements === undefined ? Effect.void : elements.close
  }
}

const work: Work<(client: unknown, signal: AbortSignal) => PromiseLike<AsyncIterable<unknown>>, Elements<unknown>> = {
  begin: (f, { client }, call, ended) => begin((signal) => f(client, signal), call, ended)
}

/** Streams that are asked for with a client, which is that of the provider through which it is asked for. */
export const workOf = <Client, A>() =>
  work as Work<(client: Client, signal: AbortSignal) => PromiseLike<AsyncIterable<A>>, Elements<A>>

/** A stream whose client is at hand, or needs no lease of ours. */
export const open = <A>(
  place: Failure.ErrorOrigin,
  ask: Ask<A>,
  finalizers: Finalizers
): Effect.Effect<Elements<A>, ClientError> =>
  Effect.withFiberRuntime((fiber) => {
    let abort: Abort | undefined
    finalizers.add(() => abort?.() ?? Effect.void)
    return Effect.async<Elements<A>, ClientError>((resume) => {
      abort = begin(ask, { place, fiber }, resume)
    })
  })

/** Leases of `elements` end by the finalizers that it adds. */
export const held = <A, E, R>(
  elements: (finalizers: Finalizers) => Effect.Effect<Elements<A>, E, R>
): Stream.Stream<A, E | ClientError, R> =>
  batches<A, E | ClientError, R>((finalizers) => Effect.map(elements(finalizers), ({ next }) => next))

export const stream = <A>(place: Failure.ErrorOrigin, ask: Ask<A>): Stream.Stream<A, ClientError> =>
  held((finalizers) => open(place, ask, finalizers))
