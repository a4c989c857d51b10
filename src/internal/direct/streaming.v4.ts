/** Batches as a stream, whose arrays they are. */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
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

const failureOf = ({ call: { context, place } }: Batches, error: unknown): ClientError =>
  Failure.fromThrown(place, error, context)

/** Effect's streams admit no empty batch. */
const pull = (batches: Batches): Pull.Pull<Arr.NonEmptyReadonlyArray<unknown>, ClientError> =>
  Effect.flatMap(
    Effect.callback<ReadonlyArray<unknown> | undefined, ClientError>((resume) =>
      batches.pull({
        resolve: (batch) => resume(Effect.succeed(batch)),
        reject: (error) => resume(Effect.fail(failureOf(batches, error)))
      })
    ),
    (batch) => {
      if (batch === undefined) return Cause.done()
      return Arr.isReadonlyArrayNonEmpty(batch) ? Effect.succeed(batch) : pull(batches)
    }
  )

/** The call that `open` is given a note of is sent when the stream begins, and aborted when that ends before the answer has. */
export const streaming = <R>(
  open: (note: (call: ApiCall<Batches>) => ApiCall<Batches>) => Effect.Effect<Batches, ClientError, R>
): Stream.Stream<unknown, ClientError, R> =>
  Stream.unwrap(
    Effect.flatMap(
      Effect.acquireRelease(
        Effect.sync((): Opened => ({ batches: undefined })),
        ({ batches }) => Effect.sync(() => batches?.cancel())
      ),
      (opened) =>
        Effect.map(
          open((call) => noting(call, opened)),
          (batches) => Stream.fromPull(Effect.succeed(pull(batches)))
        )
    )
  )
