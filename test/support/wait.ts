import * as Effect from "effect/Effect"

/** Waits until it is so, for at most half a minute. */
export const until = async (isSo: () => boolean): Promise<void> => {
  const end = Date.now() + 30_000
  while (!isSo()) {
    if (Date.now() > end) throw new Error(`it never came to be that ${isSo}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Looks until it is so, for at most half a minute or `ms`; then fails with what it saw last. */
export const eventually = <A, E, R>(
  look: Effect.Effect<A, E, R>,
  isSo: (value: A) => boolean,
  ms = 30_000
): Effect.Effect<A, E, R> => {
  const until = Date.now() + ms
  const again: Effect.Effect<A, E, R> = Effect.flatMap(look, (value) => {
    if (isSo(value)) return Effect.succeed(value)
    if (Date.now() > until) return Effect.die(new Error(`still not so after ${ms} ms: ${JSON.stringify(value)}`))
    return Effect.zipRight(Effect.sleep(5), again)
  })
  return again
}
