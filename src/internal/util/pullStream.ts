/** Streams as effects that give the next elements, several at a time, and the way back. */
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Finalizers } from "./finalizers.ts"

/** Gives the next elements, or fails with none at the end. */
export type PullEffect<A, E, R = never> = Effect.Effect<ReadonlyArray<A>, Option.Option<E>, R>

export const fromPull = <A, E, R>(pull: PullEffect<A, E, R>): Stream.Stream<A, E, R> =>
  Stream.repeatEffectChunkOption(Effect.map(pull, Chunk.unsafeFromArray))

export const toPull = <A, E, R>(
  stream: Stream.Stream<A, E, R>
): Effect.Effect<PullEffect<A, E, R>, never, R | Scope.Scope> =>
  Effect.map(Stream.toPull(stream), (pull) => Effect.map(pull, Chunk.toReadonlyArray))

/** The cause of a pull that failed, none of one at the end. */
export const failureOfPull = <E>(cause: Cause.Cause<Option.Option<E>>): Option.Option<Cause.Cause<E>> =>
  Cause.flipCauseOption(cause)

/**
 * The batches that an effect gives, until `undefined`. The finalizers that `open` adds run when the stream ends. In one
 * channel, since each that is put around another costs as much as a request.
 */
export const batches = <A, E, R>(
  open: (finalizers: Finalizers) => Effect.Effect<Effect.Effect<ReadonlyArray<A> | undefined, E>, E, R>
): Stream.Stream<A, E, R> => {
  type Out = Channel.Channel<Chunk.Chunk<A>, unknown, E, unknown, void, unknown, R>
  const loop = (next: Effect.Effect<ReadonlyArray<A> | undefined, E>): Out =>
    Channel.flatMap(Channel.fromEffect(next), (batch): Out =>
      batch === undefined
        ? Channel.void
        : Channel.flatMap(Channel.write(Chunk.unsafeFromArray(batch)), () => loop(next))
    )
  return Stream.fromChannel(
    Channel.acquireUseRelease(
      Effect.sync(() => new Finalizers()),
      (finalizers): Out => Channel.flatMap(Channel.fromEffect(open(finalizers)), loop),
      (finalizers, exit) => finalizers.run(exit)
    )
  )
}
