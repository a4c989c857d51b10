/** A stream of what a caller's function returns: errors become ours, interruption aborts what is under way. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { ClientError } from "../../ClientError.ts"
import * as CallContext from "./callContext.ts"
import * as Failure from "./errors/fromSdk.ts"
import { clearTimeout, setTimeout } from "../util/timers.ts"
import * as Spans from "../telemetry/effectSpans.ts"

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

const contextOf = (signal: AbortSignal): Effect.Effect<CallContext.CallContext> =>
  Effect.withFiberRuntime((fiber) => {
    const span = fiber.currentSpan
    return Effect.succeed(CallContext.make(signal, span, Spans.tracing(fiber, span)))
  })

export const stream = <A>(
  place: Failure.ErrorOrigin,
  f: (signal: AbortSignal) => PromiseLike<AsyncIterable<A>>
): Stream.Stream<A, ClientError> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const controller = new AbortController()
      const context = yield* contextOf(controller.signal)
      // Aborting goes first: an async generator queues `return` behind a pending `next`, which would wait for a chunk.
      const abort = Effect.sync(() => controller.abort())
      yield* Effect.addFinalizer(() => abort)
      const iterable = yield* Effect.onInterrupt(
        Effect.tryPromise({
          try: () => CallContext.run(context, () => f(context.signal)),
          catch: (thrown) => Failure.fromThrown(place, thrown, context)
        }),
        () => abort
      )
      const iterator = yield* Effect.try({
        try: () => CallContext.run(context, () => iteratorOf(iterable)),
        catch: (thrown) => Failure.fromThrown(place, thrown, context)
      })
      let ended = false
      yield* Effect.addFinalizer(() =>
        ended || iterator.return === undefined
          ? Effect.void
          : Effect.zipRight(
              abort,
              Effect.promise(() => cleanedUp(iterator))
            )
      )
      // Paging and multi-step iterables send requests from `next`, so it needs the context as well.
      const next = Effect.tryPromise({
        try: () => CallContext.run(context, () => iterator.next()),
        catch: (thrown) => {
          ended = true
          return Option.some(Failure.fromThrown(place, thrown, context))
        }
      })
      return Stream.repeatEffectChunkOption(
        Effect.flatMap(
          Effect.onInterrupt(next, () => abort),
          (result) => {
            if (result.done !== true) return Effect.succeed(Chunk.of(result.value))
            ended = true
            return Effect.fail(Option.none())
          }
        )
      )
    })
  )
