/** Streams as effects that give the next elements, several at a time, and the way back. */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Finalizers } from "./finalizers.ts"

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

/** Pulls batches until `undefined`. Effect's streams admit no empty one. */
const pullOf = <A, E>(
  next: Effect.Effect<ReadonlyArray<A> | undefined, E>
): Pull.Pull<Arr.NonEmptyReadonlyArray<A>, E, void> =>
  Effect.flatMap(next, (batch) => {
    if (batch === undefined) return Cause.done()
    return Arr.isReadonlyArrayNonEmpty(batch) ? Effect.succeed(batch) : pullOf(next)
  })

/** The batches that an effect gives, until `undefined`. The finalizers that `open` adds run when the stream ends. */
export const batches = <A, E, R>(
  open: (finalizers: Finalizers) => Effect.Effect<Effect.Effect<ReadonlyArray<A> | undefined, E>, E, R>
): Stream.Stream<A, E, R> =>
  Stream.fromChannel(
    Channel.fromTransform((_, scope) =>
      Effect.sync((): Pull.Pull<Arr.NonEmptyReadonlyArray<A>, E, void, R> => {
        const finalizers = new Finalizers()
        let pull: Pull.Pull<Arr.NonEmptyReadonlyArray<A>, E, void> | undefined
        const begun = Effect.flatMap(
          Scope.addFinalizerExit(scope, (exit) => finalizers.run(exit)),
          () => Effect.flatMap(open(finalizers), (next) => (pull = pullOf(next)))
        )
        return Effect.suspend(() => pull ?? begun)
      })
    )
  )
