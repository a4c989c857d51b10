/** Streams of batches that a response's body gives, one after another. */
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ClientError } from "../../ClientError.ts"
import * as Failure from "../request/errors/fromSdk.ts"
import type { Batches } from "./batches.ts"

const END: unique symbol = Symbol()

/** `undefined` until its response has come. */
export interface Opened {
  batches: Batches | undefined
}

const pull = (batches: Batches): Effect.Effect<Chunk.Chunk<unknown> | typeof END, ClientError> =>
  Effect.async((resume) => {
    batches.next().then(
      (batch) => resume(Effect.succeed(batch === undefined ? END : Chunk.unsafeFromArray(batch))),
      (error: unknown) => resume(Effect.fail(Failure.fromThrown(batches.place, error)))
    )
  })

/** One channel, since each that is put around another costs as much as a request. The request is sent when it begins, and aborted when it ends before the answer has. */
export const streaming = <R>(
  open: (opened: Opened) => Effect.Effect<Batches, ClientError, R>
): Stream.Stream<unknown, ClientError, R> => {
  type Out = Channel.Channel<Chunk.Chunk<unknown>, unknown, ClientError, unknown, void, unknown, R>
  const loop = (next: ReturnType<typeof pull>): Out =>
    Channel.flatMap(Channel.fromEffect(next), (chunk): Out =>
      chunk === END ? Channel.void : Channel.flatMap(Channel.write(chunk), () => loop(next))
    )
  return Stream.fromChannel(
    Channel.acquireUseRelease(
      Effect.sync((): Opened => ({ batches: undefined })),
      (opened): Out => Channel.flatMap(Channel.fromEffect(open(opened)), (batches) => loop(pull(batches))),
      ({ batches }) => Effect.sync(() => batches?.cancel())
    )
  )
}
