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

export const make = <A, E, By>({
  closed,
  most,
  send,
  window
}: Options<A, E, By>): Effect.Effect<AskBatch<A, E, By>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const run = yield* FiberSet.makeRuntime<never, Exit.Exit<ReadonlyArray<A>, E>>()
    let isClosed = false
    yield* Effect.addFinalizer(() => Effect.sync(() => (isClosed = true)))
    /** Which still takes texts. */
    let open: Batch<A, E, By> | undefined

    const shut = (batch: Batch<A, E, By>): void => {
      if (open === batch) open = undefined
    }

    /** Removes a caller from all requests, and returns those without callers. */
    const leave = (asking: Asking<A, E, By>): ReadonlyArray<Sending<A, E>> => {
      const idle: Array<Sending<A, E>> = []
      for (const batch of asking.batches) {
        batch.waiting.delete(asking)
        // Texts of a request in flight keep their positions in its response.
        if (batch === open) batch.items = batch.items.filter(({ of }) => of !== asking)
        if (batch.waiting.size > 0 || batch.fiber === undefined) continue
        shut(batch)
        idle.push(batch.fiber)
      }
      asking.batches.clear()
      return idle
    }

    const settle = (batch: Batch<A, E, By>, exit: Exit.Exit<ReadonlyArray<A>, E>): void => {
      shut(batch)
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
      const failed = Cause.isInterruptedOnly(exit.cause) ? closed : Effect.failCause(exit.cause)
      for (const asking of batch.waiting) {
        for (const fiber of leave(asking)) fiber.unsafeInterruptAsFork(FiberId.none)
        asking.resume(failed)
      }
    }

    const begin = (): Batch<A, E, By> => {
      const isFull = Deferred.unsafeMake<void>(FiberId.none)
      const batch: Batch<A, E, By> = { items: [], waiting: new Set(), isFull, fiber: undefined }
      const request = Effect.suspend(() => {
        shut(batch)
        return send(
          batch.items.map(({ text }) => text),
          [...batch.waiting].map(({ by }) => by)
        )
      })
      const wait = Effect.raceFirst(pause(window), Deferred.await(isFull))
      // Layers are built without interruption, and what is run in their midst inherits that.
      batch.fiber = run(
        Effect.interruptible(Effect.zipRight(Effect.yieldNow(), Effect.exit(Effect.zipRight(wait, request))))
      )
      batch.fiber.addObserver((exit) => settle(batch, Exit.flatten(exit)))
      return (open = batch)
    }

    const add = (item: Item<A, E, By>): void => {
      const batch = open ?? begin()
      batch.items.push(item)
      batch.waiting.add(item.of)
      item.of.batches.add(batch)
      if (batch.items.length < most) return
      shut(batch)
      Deferred.unsafeDone(batch.isFull, Effect.void)
    }

    return (texts, by) =>
      texts.length === 0
        ? Effect.sync(() => [])
        : Effect.async((resume) => {
            if (isClosed) return resume(closed)
            const asking: Asking<A, E, By> = { by, values: [], batches: new Set(), resume }
            for (const [at, text] of texts.entries()) add({ text, of: asking, at })
            return Effect.suspend(() => Fiber.interruptAll(leave(asking)))
          })
  })
