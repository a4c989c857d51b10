import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"

/**
 * An asynchronous step that interruption aborts. `begin` calls `resume` once, and returns what aborts the work, or
 * `undefined` if nothing was begun that could be. `Effect.async` with a finalizer is the same, but does more for each call.
 */
export const abortable = <A, E>(
  begin: (resume: (result: Effect.Effect<A, E>) => void) => (() => Effect.Effect<void>) | undefined
): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) => {
    let abort: (() => Effect.Effect<void>) | undefined
    const work = Effect.async<A, E>((resume) => {
      abort = begin(resume)
    })
    return Effect.catchAllCause(restore(work), (cause) =>
      abort !== undefined && Cause.isInterrupted(cause)
        ? Effect.zipRight(abort(), Effect.failCause(cause))
        : Effect.failCause(cause)
    )
  })
