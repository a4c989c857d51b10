/** The values of a streamed answer as an async iterator. */
import type { ClientConfig } from "../../ClientConfig.ts"
import type { LeasedFetch } from "../client/leasedFetch.ts"
import * as CallContext from "../request/callContext.ts"
import type { PooledFetch } from "../request/pooledFetch.ts"
import * as Site from "../sdk/callSite.ts"
import type { Batches } from "./batches.ts"
import type { ApiCall } from "./calls.ts"
import { open, type UnsentCall } from "./promiseCall.ts"
import { failureOf, send } from "./promiseSend.ts"

/** A stream that has yet to be asked for. */
export interface UnsentStream {
  readonly config: ClientConfig
  readonly leased: LeasedFetch
  readonly signal: AbortSignal | undefined
  /** Throws a ClientError. */
  readonly make: () => ApiCall<Batches>
  readonly site: Site.Site
}

const done: IteratorReturnResult<undefined> = { value: undefined, done: true }

/** One request, sent with the first `next`. Values of a batch that has come are given without a turn of the loop. */
export class Values implements AsyncIterator<unknown, undefined>, UnsentCall<Batches> {
  readonly #stream: UnsentStream
  /** The call in which it was asked for. */
  readonly #within = CallContext.current()
  #giveUp: (() => void) | undefined
  #controller: AbortController | undefined
  #context: CallContext.CallContext | undefined
  #batches: Batches | undefined
  #batch: ReadonlyArray<unknown> = []
  #at = 0
  #isOver = false
  /** The `next` that is under way. */
  #pending: Promise<unknown> | undefined

  constructor(stream: UnsentStream) {
    this.#stream = stream
  }

  get signal(): AbortSignal | undefined {
    return this.#stream.signal
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    if (this.#pending !== undefined) {
      const again = () => this.next()
      return this.#pending.then(again, again)
    }
    if (this.#isOver) return Promise.resolve(done)
    if (this.#at < this.#batch.length && this.signal?.aborted !== true) {
      return Promise.resolve({ value: this.#batch[this.#at++], done: false })
    }
    const pending = this.#pull()
    const settled = () => (this.#pending = undefined)
    this.#pending = pending.then(settled, settled)
    return pending
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#end()
    return Promise.resolve(done)
  }

  send(fetch: PooledFetch["tryFetch"], context: CallContext.CallContext): Promise<Batches> | undefined {
    const { config, make, signal, site } = this.#stream
    this.#controller = new AbortController()
    this.#context = context
    signal?.addEventListener("abort", this.#abort, { once: true })
    return send(config, fetch, { signal: this.#controller.signal, context, make, site })
  }

  onWait(giveUp: () => void): void {
    this.#giveUp = giveUp
  }

  async #pull(): Promise<IteratorResult<unknown, undefined>> {
    const { config, leased, signal } = this.#stream
    try {
      this.#batches ??= await open(config, leased, this, this.#within)
      if (signal?.aborted === true) throw signal.reason
      const batch = await this.#batches.next()
      if (batch === undefined || this.#isOver) {
        this.#end()
        return done
      }
      this.#batch = batch
      this.#at = 1
      return { value: batch[0], done: false }
    } catch (error) {
      if (this.#isOver) return done
      this.#end()
      throw failureOf(config, error, signal, this.#context)
    }
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#batch = []
    this.signal?.removeEventListener("abort", this.#abort)
    if (this.#batches !== undefined) return this.#batches.cancel()
    this.#giveUp?.()
    this.#controller?.abort()
  }

  readonly #abort = (): void => this.#controller?.abort(this.signal?.reason)
}
