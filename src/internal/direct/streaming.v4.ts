/** Streams of batches that a response's body gives, one after another. */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { ClientError } from "../../ClientError.ts"
import * as Failure from "../request/errors/fromSdk.ts"
import type { Batches } from "./batches.ts"

/** `undefined` until its response has come. */
export interface Opened {
  batches: Batches | undefined
}

/** Effect's streams admit no empty batch. */
const pull = (batches: Batches): Pull.Pull<Arr.NonEmptyReadonlyArray<unknown>, ClientError> =>
  Effect.flatMap(
    Effect.callback<ReadonlyArray<unknown> | undefined, ClientError>((resume) => {
      batches.next().then(
        (batch) => resume(Effect.succeed(batch)),
        (error: unknown) => resume(Effect.fail(Failure.fromThrown(batches.place, error)))
      )
    }),
    (batch) => {
      if (batch === undefined) return Cause.done()
      return Arr.isReadonlyArrayNonEmpty(batch) ? Effect.succeed(batch) : pull(batches)
    }
  )

/** The request is sent when the stream begins, and aborted when it ends before the answer has. */
export const streaming = <R>(
  open: (opened: Opened) => Effect.Effect<Batches, ClientError, R>
): Stream.Stream<unknown, ClientError, R> =>
  Stream.unwrap(
    Effect.flatMap(
      Effect.acquireRelease(
        Effect.sync((): Opened => ({ batches: undefined })),
        ({ batches }) => Effect.sync(() => batches?.cancel())
      ),
      (opened) => Effect.map(open(opened), (batches) => Stream.fromPull(Effect.succeed(pull(batches))))
    )
  )
