/** Batches as a stream, whose chunks they are. */
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ClientError } from "../../ClientError.ts"
import * as Failure from "../request/errors/fromSdk.ts"
import { Batches } from "./batches.ts"
import type { ApiCall } from "./calls.ts"

/** `undefined` until its response has come. */
interface Opened {
  batches: Batches | undefined
}

/** The call of a stream, which notes its batches in the turn in which they come: whatever ends the stream finds them. */
const noting = ({ read, written }: ApiCall<Batches>, opened: Opened): ApiCall<Batches> => ({
  written,
  read: (response, call) => {
    const batches = read(response, call)
    if (batches instanceof Batches) opened.batches = batches
    return batches
  }
})

const END: unique symbol = Symbol()

const failureOf = ({ call: { context, place } }: Batches, error: unknown): ClientError =>
  Failure.fromThrown(place, error, context)

const pull = (batches: Batches): Effect.Effect<Chunk.Chunk<unknown> | typeof END, ClientError> =>
  Effect.async((resume) =>
    batches.pull({
      resolve: (batch) => resume(Effect.succeed(batch === undefined ? END : Chunk.unsafeFromArray(batch))),
      reject: (error) => resume(Effect.fail(failureOf(batches, error)))
    })
  )

/**
 * One channel, since each that is put around another costs as much as a request. The call that `open` is given a note of is
 * sent when the stream begins, and aborted when that ends before the answer has.
 */
export const streaming = <R>(
  open: (note: (call: ApiCall<Batches>) => ApiCall<Batches>) => Effect.Effect<Batches, ClientError, R>
): Stream.Stream<unknown, ClientError, R> => {
  type Out = Channel.Channel<Chunk.Chunk<unknown>, unknown, ClientError, unknown, void, unknown, R>
  const loop = (next: ReturnType<typeof pull>): Out =>
    Channel.flatMap(Channel.fromEffect(next), (chunk): Out =>
      chunk === END ? Channel.void : Channel.flatMap(Channel.write(chunk), () => loop(next))
    )
  return Stream.fromChannel(
    Channel.suspend((): Out => {
      const opened: Opened = { batches: undefined }
      // Nothing is acquired that would need to be masked from interruption, as `Channel.acquireUseRelease` does at some cost.
      return Channel.ensuring(
        Channel.flatMap(Channel.fromEffect(open((call) => noting(call, opened))), (batches) => loop(pull(batches))),
        Effect.sync(() => opened.batches?.cancel())
      )
    })
  )
}
