/** Parts of a response out of a stream of events. */
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"

/** The parts of the events that came together, as soon as they arrive, then those of `end`. */
export const streamOf = <A, B, E, E2>(
  events: Stream.Stream<A, E>,
  next: (event: A) => Either.Either<ReadonlyArray<B>, E2>,
  end: () => Stream.Stream<B, E2>
): Stream.Stream<B, E | E2> => {
  type Out = Channel.Channel<Chunk.Chunk<B>, Chunk.Chunk<A>, E | E2, E, unknown, unknown>
  const read = (): Out =>
    Channel.readWithCause({
      onInput: (chunk: Chunk.Chunk<A>): Out => {
        const parts: Array<B> = []
        for (const event of chunk) {
          const made = next(event)
          if (Either.isLeft(made)) return Channel.zipRight(written(parts), Channel.fail(made.left))
          for (const part of made.right) parts.push(part)
        }
        return Channel.flatMap(written(parts), read)
      },
      onFailure: (cause) => Channel.failCause(cause),
      onDone: (): Out => Stream.toChannel(end())
    })
  return Stream.fromChannel(Channel.pipeTo(Stream.toChannel(events), read()))
}

const written = <B>(parts: Array<B>): Channel.Channel<Chunk.Chunk<B>> =>
  parts.length === 0 ? Channel.void : Channel.write(Chunk.unsafeFromArray(parts))
