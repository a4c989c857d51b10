/** The values of a streamed answer as an async iterable. */
import type { ClientConfig } from "../../ClientConfig.ts"
import type { LeasedFetch } from "../client/leasedFetch.ts"
import * as CallContext from "../request/callContext.ts"
import type { PooledFetch } from "../request/pooledFetch.ts"
import type * as Site from "../sdk/callSite.ts"
import type { Batches, BatchWaiter } from "./batches.ts"
import type { ApiCall } from "./calls.ts"
import { openLate, openNow, type Waiting, type WaitingCall } from "./promiseCall.ts"
import { failureOf, send } from "./promiseSend.ts"

type Result = IteratorResult<unknown, undefined>

const done: IteratorReturnResult<undefined> = { value: undefined, done: true }

/** A stream to be asked for, once for each of its iterators. */
export class StreamedValues implements AsyncIterable<unknown> {
  readonly config: ClientConfig
  readonly leased: LeasedFetch
  readonly signal: AbortSignal | undefined
  /** Throws a ClientError. */
  readonly make: () => ApiCall<Batches>
  readonly site: Site.Site

  constructor(
    config: ClientConfig,
    leased: LeasedFetch,
    signal: AbortSignal | undefined,
    make: () => ApiCall<Batches>,
    site: Site.Site
  ) {
    this.config = config
    this.leased = leased
    this.signal = signal
    this.make = make
    this.site = site
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown, undefined> {
    return new Values(this)
  }
}

/**
 * One request, sent with the first `next`. Values of a batch that has come are given without a turn of the loop. Fields and
 * methods of its own instead of closures: thousands may wait for their turn.
 */
class Values implements AsyncIterator<unknown, undefined>, WaitingCall<Batches>, BatchWaiter {
  readonly signal: AbortSignal | undefined
  readonly #stream: StreamedValues
  /** The call in which it was asked for. */
  readonly #within = CallContext.current()
  #waiting: Waiting | undefined
  #controller: AbortController | undefined
  #context: CallContext.CallContext | undefined
  #batches: Batches | undefined
  #batch: ReadonlyArray<unknown> = []
  #at = 0
  #isOver = false
  /** The `next` that is under way. */
  #pending: Promise<Result> | undefined
  #resolve: ((result: Result) => void) | undefined
  #reject: ((error: unknown) => void) | undefined

  constructor(stream: StreamedValues) {
    this.#stream = stream
    this.signal = stream.signal
  }

  next(): Promise<Result> {
    if (this.#pending !== undefined) {
      const again = () => this.next()
      return this.#pending.then(again, again)
    }
    if (this.#isOver) return Promise.resolve(done)
    if (this.#at < this.#batch.length && this.signal?.aborted !== true) {
      return Promise.resolve({ value: this.#batch[this.#at++], done: false })
    }
    const pending = new Promise<Result>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#pending = pending
    if (this.signal?.aborted === true) this.reject(this.signal.reason)
    else if (this.#batches === undefined) this.#open()
    else this.#batches.pull(this)
    return pending
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#end()
    return Promise.resolve(done)
  }

  // Its call.

  send(fetch: PooledFetch["tryFetch"], context: CallContext.CallContext): Promise<Batches> | undefined {
    const { config, make, site } = this.#stream
    this.#controller = new AbortController()
    this.#context = context
    this.signal?.addEventListener("abort", this, { once: true })
    return send(config, fetch, { signal: this.#controller.signal, context, make, site })
  }

  waits(waiting: Waiting): void {
    this.#waiting = waiting
  }

  answered(batches: Batches): void {
    this.#waiting = undefined
    this.#batches = batches
    if (this.#isOver) batches.cancel()
    batches.pull(this)
  }

  handleEvent(): void {
    this.#controller?.abort(this.signal?.reason)
  }

  // Its batches.

  resolve(batch: ReadonlyArray<unknown> | undefined): void {
    if (batch === undefined || this.#isOver) {
      this.#end()
      return this.#give(done)
    }
    this.#batch = batch
    this.#at = 1
    this.#give({ value: batch[0], done: false })
  }

  reject(error: unknown): void {
    if (this.#isOver) return this.#give(done)
    this.#end()
    this.#pending = undefined
    this.#reject?.(failureOf(this.#stream.config, error, this.signal, this.#context))
  }

  #open(): void {
    const { config, leased } = this.#stream
    const opened = openNow(config, leased, this, this.#within)
    if (opened === undefined) return openLate(config, leased, this)
    opened.then(
      (batches) => this.answered(batches),
      (error: unknown) => this.reject(error)
    )
  }

  #give(result: Result): void {
    this.#pending = undefined
    this.#resolve?.(result)
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#batch = []
    this.signal?.removeEventListener("abort", this)
    if (this.#batches !== undefined) return this.#batches.cancel()
    this.#waiting?.giveUp()
    this.#controller?.abort()
  }
}
