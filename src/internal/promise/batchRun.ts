/** A batch without Effect: an async iterator over the pulls of its stream. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { ClientMap, type Service } from "../../ClientMap.ts"
import { internalsOf } from "../batch/prompt/internals.ts"
import type { RowCall, Result } from "../batch/result.ts"
import { failureOfPull, type PullEffect, toPull } from "../util/pullStream.ts"

type Item = Result<unknown, unknown>
type Pull = PullEffect<Item, unknown>

const over: IteratorReturnResult<undefined> = { value: undefined, done: true }

/** Ends when `signal` is aborted. */
export const untilAborted = (signal: AbortSignal): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (signal.aborted) return resume(Effect.void)
    const abort = (): void => resume(Effect.void)
    signal.addEventListener("abort", abort, { once: true })
    return Effect.sync(() => signal.removeEventListener("abort", abort))
  })

/** The agent of a run, of one that returns a promise or a value. What it throws is what it fails with. */
export const agentOf = (
  agent: (row: never, call: RowCall & { readonly signal: AbortSignal }) => unknown
): ((row: unknown, call: RowCall) => Effect.Effect<unknown, unknown, ClientMap>) => {
  if (internalsOf(agent) !== undefined) return agent as never
  const run = (row: unknown, call: RowCall) =>
    Effect.tryPromise({
      try: async (signal) => await agent(row as never, withSignal(call, signal)),
      catch: (error) => error
    })
  return Object.assign(run, { agentName: (agent as { readonly agentName?: string }).agentName })
}

const withSignal = (call: RowCall, signal: AbortSignal): RowCall & { readonly signal: AbortSignal } => ({
  index: call.index,
  key: call.key,
  repeat: call.repeat,
  report: call.report,
  signal
})

/** The results of one run, which begins with the first `next` and ends with `return`, an error or the signal. */
export class BatchResults implements AsyncIterableIterator<Item, undefined> {
  readonly #stream: Stream.Stream<Item, unknown, ClientMap>
  readonly #service: () => Service | Promise<Service>
  readonly #signal: AbortSignal | undefined
  readonly #controller = new AbortController()
  #scope: Scope.CloseableScope | undefined
  #pull: Promise<Pull> | undefined
  #items: ReadonlyArray<Item> = []
  #at = 0
  /** Set once it is over. */
  #ending: Promise<void> | undefined
  /** The signal has been aborted, and nobody was told yet. */
  #isAborted = false
  /** Calls of `next` answer in their order. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(
    stream: Stream.Stream<Item, unknown, ClientMap>,
    service: () => Service | Promise<Service>,
    signal: AbortSignal | undefined
  ) {
    this.#stream = stream
    this.#service = service
    this.#signal = signal
    if (signal?.aborted === true) this.#abort()
    else signal?.addEventListener("abort", this.#abort, { once: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    const next = this.#last.then(() => this.#next())
    this.#last = next.catch(() => undefined)
    return next
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    await this.#end()
    return over
  }

  async #next(): Promise<IteratorResult<Item, undefined>> {
    await this.#throwIfAborted()
    if (this.#at < this.#items.length) return { value: this.#items[this.#at++]!, done: false }
    if (this.#ending !== undefined) return over
    try {
      const pull = await (this.#pull ??= this.#open())
      const exit = await Effect.runPromiseExit(pull, { signal: this.#controller.signal })
      await this.#throwIfAborted()
      if (this.#ending !== undefined) return over
      if (Exit.isSuccess(exit)) {
        this.#items = exit.value
        this.#at = 0
        return await this.#next()
      }
      const cause = failureOfPull(exit.cause)
      if (Option.isSome(cause)) throw Cause.squash(cause.value)
    } catch (error) {
      await this.#throwIfAborted()
      await this.#end()
      throw error
    }
    await this.#end()
    return over
  }

  /** Throws the signal's reason, once. */
  async #throwIfAborted(): Promise<void> {
    if (!this.#isAborted) return
    this.#isAborted = false
    await this.#end()
    this.#signal!.throwIfAborted()
  }

  async #open(): Promise<Pull> {
    const service = await this.#service()
    if (this.#ending !== undefined) return Effect.fail(Option.none())
    const scope = (this.#scope = Effect.runSync(Scope.make()))
    const stream = Stream.provideService(this.#stream, ClientMap, service)
    return Effect.runPromise(Scope.extend(toPull(stream), scope))
  }

  /** Resolves once the run has ended, whoever ends it. */
  #end(): Promise<void> {
    return (this.#ending ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#items = []
    this.#at = 0
    this.#signal?.removeEventListener("abort", this.#abort)
    this.#controller.abort()
    if (this.#scope !== undefined) await Effect.runPromise(Scope.close(this.#scope, Exit.void))
  }

  /** Ends the run at once, whether somebody asks for its next result or not. */
  readonly #abort = (): void => {
    if (this.#ending !== undefined) return
    this.#isAborted = true
    this.#end().catch(() => undefined)
  }
}
