/** Parts of a response out of a stream of events. */
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"

/** The parts of the events that came together, as soon as they arrive, then those of `end`. */
export const streamOf = <A, B, E, E2>(
  events: Stream.Stream<A, E>,
  next: (event: A) => Result.Result<ReadonlyArray<B>, E2>,
  end: () => Stream.Stream<B, E2>
): Stream.Stream<B, E | E2> => {
  const read = (batch: ReadonlyArray<A>): Stream.Stream<B, E2> => {
    const parts: Array<B> = []
    for (const event of batch) {
      const made = next(event)
      if (Result.isFailure(made)) return Stream.concat(Stream.fromArray(parts), Stream.fail(made.failure))
      for (const part of made.success) parts.push(part)
    }
    return Stream.fromArray(parts)
  }
  return Stream.concat(Stream.flatMap(Stream.chunks(events), read), Stream.suspend(end))
}
