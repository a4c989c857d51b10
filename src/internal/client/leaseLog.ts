/** Debug logs of the client map: hits, misses, builds and releases. */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as LogLevel from "effect/LogLevel"
import * as Runtime from "effect/Runtime"
import * as ClientConfig from "../../ClientConfig.ts"
import type { Event } from "../../LeaseMap.ts"

type Listener = (event: Event<ClientConfig.ClientConfig>) => void

/** `undefined` where the logger of the layer is not at debug level: then a lease costs nothing for it. */
export const make: Effect.Effect<Listener | undefined> = Effect.flatMap(
  FiberRef.get(FiberRef.currentMinimumLogLevel),
  (minimum) =>
    LogLevel.greaterThan(minimum, LogLevel.Debug)
      ? Effect.succeed(undefined)
      : Effect.map(Effect.runtime(), (runtime) => {
          const runFork = Runtime.runFork(runtime)
          return (event) =>
            void runFork(
              Effect.annotateLogs(Effect.logDebug(`client ${event._tag.toLowerCase()}`), {
                provider: event.key.provider,
                baseURL: event.key.baseURL,
                client: ClientConfig.fingerprint(event.key),
                generation: event.generation
              })
            )
        })
)
