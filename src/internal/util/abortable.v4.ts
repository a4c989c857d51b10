import * as Effect from "effect/Effect"

/**
 * An asynchronous step that interruption aborts. `begin` calls `resume` once, and returns what aborts the work, or
 * `undefined` if nothing was begun that could be.
 */
export const abortable = <A, E>(
  begin: (resume: (result: Effect.Effect<A, E>) => void) => (() => Effect.Effect<void>) | undefined
): Effect.Effect<A, E> =>
  Effect.callback<A, E>((resume) => {
    const abort = begin(resume)
    return abort === undefined ? undefined : Effect.suspend(abort)
  })
