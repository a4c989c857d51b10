/** Warns of leases held for too long, naming the fiber that took them. */
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Scope from "effect/Scope"
import * as ClientConfig from "../../ClientConfig.ts"

const taker: Effect.Effect<string> = Effect.flatMap(Effect.fiberId, (id) =>
  Effect.map(Effect.option(Effect.currentSpan), (span) =>
    span._tag === "Some"
      ? `fiber ${FiberId.threadName(id)}, span ${span.value.name}`
      : `fiber ${FiberId.threadName(id)}`
  )
)

/** `after` is in milliseconds. */
export const watch = (config: ClientConfig.ClientConfig, after: number): Effect.Effect<void, never, Scope.Scope> =>
  Effect.flatMap(taker, (who) =>
    Effect.asVoid(
      Effect.forkScoped(
        Effect.delay(
          Effect.logWarning(
            `${config.provider} (${config.baseURL}): client ${ClientConfig.fingerprint(config)} has been held for ` +
              `more than ${after} ms by ${who}. If that is a leak, lease it with \`use\` where it is needed`
          ),
          after
        )
      )
    )
  )

/** Watches the lease of an effect while it runs. */
export const watched = <A, E, R>(
  config: ClientConfig.ClientConfig,
  after: number,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.scopedWith((scope) => Effect.zipRight(Scope.extend(watch(config, after), scope), effect))

export const watching =
  <Value, A, E, R>(
    config: ClientConfig.ClientConfig,
    after: number,
    f: (value: Value) => Effect.Effect<A, E, R>
  ): ((value: Value) => Effect.Effect<A, E, R>) =>
  (value) =>
    watched(config, after, f(value))
