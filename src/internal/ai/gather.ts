/**
 * Batches texts of concurrent callers into one request. An interrupted caller leaves the others unaffected; a request
 * without callers is not sent, or is aborted.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import { pause } from "../util/ticker.ts"

export interface Options<A, E, By> {
  /** Returns as many values as there are texts, in their order. `by` are the callers, the first one first. */
  readonly send: (texts: ReadonlyArray<string>, by: ReadonlyArray<By>) => Effect.Effect<ReadonlyArray<A>, E>
  /** For so many milliseconds texts are gathered, from the first on. */
  readonly window: number
  /** Texts of one request at most. */
  readonly most: number
  /** Failure of callers that wait when the scope ends, or come later. */
  readonly closed: Effect.Effect<never, E>
}

/** The values of some texts, in their order, for one caller. */
export type AskBatch<A, E, By> = (texts: ReadonlyArray<string>, by: By) => Effect.Effect<Array<A>, E>

/** Never fails itself: a failing fiber would log the failure, with the provider's text. */
type Sending<A, E> = Fiber.RuntimeFiber<Exit.Exit<ReadonlyArray<A>, E>>

/** A waiting caller, maybe of several requests. */
interface Asking<A, E, By> {
  readonly by: By
  readonly values: Array<A>
  readonly batches: Set<Batch<A, E, By>>
  readonly resume: (result: Effect.Effect<Array<A>, E>) => void
}

interface Item<A, E, By> {
  readonly text: string
  readonly of: Asking<A, E, By>
  /** Its place among the texts of that one. */
  readonly at: number
}

/** A request that is gathered, or under way. */
interface Batch<A, E, By> {
  items: Array<Item<A, E, By>>
  readonly waiting: Set<Asking<A, E, By>>
  readonly isFull: Deferred.Deferred<void>
  fiber: Sending<A, E> | undefined
}

class Gathering<A, E, By> {
  readonly #options: Options<A, E, By>
  readonly #run: (sending: Effect.Effect<Exit.Exit<ReadonlyArray<A>, E>>) => Sending<A, E>
  #isClosed = false
  /** Still takes texts. */
  #open: Batch<A, E, By> | undefined

  constructor(
    options: Options<A, E, By>,
    run: (sending: Effect.Effect<Exit.Exit<ReadonlyArray<A>, E>>) => Sending<A, E>
  ) {
    this.#options = options
    this.#run = run
  }

  readonly ask: AskBatch<A, E, By> = (texts, by) =>
    texts.length === 0
      ? Effect.sync(() => [])
      : Effect.async((resume) => {
          if (this.#isClosed) return resume(this.#options.closed)
          const asking: Asking<A, E, By> = { by, values: [], batches: new Set(), resume }
          for (const [at, text] of texts.entries()) this.#add({ text, of: asking, at })
          return Effect.suspend(() => Fiber.interruptAll(this.#leave(asking)))
        })

  close(): void {
    this.#isClosed = true
  }

  #add(item: Item<A, E, By>): void {
    const batch = this.#open ?? this.#begin()
    batch.items.push(item)
    batch.waiting.add(item.of)
    item.of.batches.add(batch)
    if (batch.items.length < this.#options.most) return
    this.#shut(batch)
    Deferred.unsafeDone(batch.isFull, Effect.void)
  }

  #begin(): Batch<A, E, By> {
    const { send, window } = this.#options
    const isFull = Deferred.unsafeMake<void>(FiberId.none)
    const batch: Batch<A, E, By> = { items: [], waiting: new Set(), isFull, fiber: undefined }
    const request = Effect.suspend(() => {
      this.#shut(batch)
      return send(
        batch.items.map(({ text }) => text),
        [...batch.waiting].map(({ by }) => by)
      )
    })
    const wait = Effect.raceFirst(pause(window), Deferred.await(isFull))
    // Layers are built without interruption, and what is run in their midst inherits that.
    batch.fiber = this.#run(
      Effect.interruptible(Effect.zipRight(Effect.yieldNow(), Effect.exit(Effect.zipRight(wait, request))))
    )
    batch.fiber.addObserver((exit) => this.#settle(batch, Exit.flatten(exit)))
    return (this.#open = batch)
  }

  #shut(batch: Batch<A, E, By>): void {
    if (this.#open === batch) this.#open = undefined
  }

  #settle(batch: Batch<A, E, By>, exit: Exit.Exit<ReadonlyArray<A>, E>): void {
    this.#shut(batch)
    if (exit._tag === "Success") {
      for (const [i, value] of exit.value.entries()) {
        const { at, of } = batch.items[i]!
        of.values[at] = value
      }
      for (const asking of batch.waiting) {
        asking.batches.delete(batch)
        if (asking.batches.size === 0) asking.resume(Effect.succeed(asking.values))
      }
      return
    }
    const failed = Cause.isInterruptedOnly(exit.cause) ? this.#options.closed : Effect.failCause(exit.cause)
    for (const asking of batch.waiting) {
      for (const fiber of this.#leave(asking)) fiber.unsafeInterruptAsFork(FiberId.none)
      asking.resume(failed)
    }
  }

  /** Removes a caller from all requests, and returns those without callers. */
  #leave(asking: Asking<A, E, By>): ReadonlyArray<Sending<A, E>> {
    const idle: Array<Sending<A, E>> = []
    for (const batch of asking.batches) {
      batch.waiting.delete(asking)
      // Texts of a request in flight keep their positions in its response.
      if (batch === this.#open) batch.items = batch.items.filter(({ of }) => of !== asking)
      if (batch.waiting.size > 0 || batch.fiber === undefined) continue
      this.#shut(batch)
      idle.push(batch.fiber)
    }
    asking.batches.clear()
    return idle
  }
}

/** Gathers until the scope closes, which ends what is under way. */
export const make = <A, E, By>(options: Options<A, E, By>): Effect.Effect<AskBatch<A, E, By>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const run = yield* FiberSet.makeRuntime<never, Exit.Exit<ReadonlyArray<A>, E>>()
    const gathering = new Gathering(options, run)
    yield* Effect.addFinalizer(() => Effect.sync(() => gathering.close()))
    return gathering.ask
  })
