/** Streams as effects that give the next elements, several at a time, and the way back. */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** Gives the next elements, or fails with none at the end. */
export type PullEffect<A, E, R = never> = Effect.Effect<ReadonlyArray<A>, Option.Option<E>, R>

/** Effect's streams admit no empty batch, so the next one is waited for. */
const filled = <A, E, R>(
  next: Effect.Effect<ReadonlyArray<A>, E, R>
): Effect.Effect<Arr.NonEmptyReadonlyArray<A>, E, R> =>
  Effect.flatMap(next, (all) => (Arr.isReadonlyArrayNonEmpty(all) ? Effect.succeed(all) : filled(next)))

export const fromPull = <A, E, R>(pull: PullEffect<A, E, R>): Stream.Stream<A, E, R> => {
  const next: Pull.Pull<Arr.NonEmptyReadonlyArray<A>, E, void, R> = Effect.mapError(
    filled(pull),
    (end): E | Cause.Done => (Option.isSome(end) ? end.value : Cause.Done())
  )
  return Stream.fromPull(Effect.succeed(next))
}

export const toPull = <A, E, R>(
  stream: Stream.Stream<A, E, R>
): Effect.Effect<PullEffect<A, E, R>, never, R | Scope.Scope> =>
  Effect.map(Stream.toPull(stream), (pull) =>
    Effect.mapError(pull, (end): Option.Option<E> => (Cause.isDone(end) ? Option.none() : Option.some(end as E)))
  )

/** The cause of a pull that failed, none of one at the end. */
export const failureOfPull = <E>(cause: Cause.Cause<Option.Option<E>>): Option.Option<Cause.Cause<E>> =>
  Option.exists(Cause.findErrorOption(cause), Option.isNone)
    ? Option.none()
    : Option.some(Cause.map(cause, (error) => Option.getOrThrow(error)))

/** The batches that an effect gives, until `undefined`, with what `open` acquires held meanwhile. */
export const scopedBatches = <A, E, R>(
  open: Effect.Effect<Effect.Effect<ReadonlyArray<A> | undefined, E>, E, R>
): Stream.Stream<A, E, Exclude<R, Scope.Scope>> =>
  Stream.unwrap(
    Effect.map(open, (next) =>
      fromPull(
        Effect.flatMap(Effect.mapError(next, Option.some), (batch) =>
          batch === undefined ? Effect.fail(Option.none()) : Effect.succeed(batch)
        )
      )
    )
  )
