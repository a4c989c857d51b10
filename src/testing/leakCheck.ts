/**
 * An effect that fails when it leaves something behind.
 *
 * @since 0.1.0
 */
import "../internal/needs-effect-3/run-npm-install-effect@3.ts"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ClientMap, type Service } from "../ClientMap.ts"
import * as Fibers from "../internal/testing/fibers.ts"
import * as Resources from "../internal/testing/resources.ts"
import { performance, setTimeout } from "../internal/util/timers.ts"

/**
 * Something that is left.
 *
 * @since 0.1.0
 * @category models
 */
export interface Leak {
  readonly kind: "lease" | "request" | "socket" | "timer" | "fiber"
  /** Which one it is, and where it was made, as far as that is known. */
  readonly what: string
}

/**
 * Resources that an effect left behind.
 *
 * @since 0.1.0
 * @category errors
 */
export class LeakError extends Data.TaggedError("LeakError")<{ readonly leaks: ReadonlyArray<Leak> }> {
  override get message(): string {
    return `left behind: ${this.leaks.map(({ kind, what }) => `a ${kind}: ${what}`).join("; ")}`
  }
}

/**
 * Options of the check.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** By the real clock: what ends within is no leak. @default 1 second */
  readonly within?: Duration.DurationInput | undefined
}

/** Counts of leases and requests, by the client's description in a leak. */
type Held = ReadonlyMap<string, { readonly lease: number; readonly request: number }>

const held = (service: Service): Effect.Effect<Held> =>
  Effect.map(
    service.stats,
    ({ clients }) =>
      new Map(
        clients.map(({ baseURL, fingerprint, inFlight, leases, provider }) => [
          `of the client of ${provider} (${baseURL}, ${fingerprint})`,
          { lease: leases, request: inFlight }
        ])
      )
  )

/** Leases and requests that were added since `before`. */
const more = (before: Held, now: Held): ReadonlyArray<Leak> =>
  [...now].flatMap(([what, counts]) =>
    (["lease", "request"] as const).flatMap((kind) => {
      const count = counts[kind] - (before.get(what)?.[kind] ?? 0)
      return count > 0 ? [{ kind, what: `${count} ${what}` }] : []
    })
  )

/** Between two looks, by the real clock: a test's own does not move. */
const LOOK_INTERVAL_MS = 10

/**
 * Runs `self`, and fails with a `LeakError` if it succeeds and leaves something: leases and requests of the `ClientMap`
 * that it was given, sockets (servers too) and timers that keep the process alive, fibers that it forked. Each is named.
 * Resources from before it began do not count. Idle connections of the client map do not count either, if the map is
 * given from outside; provide the client layer inside, and they must be closed too.
 *
 * Not for tests that run at the same time in one process: whatever begins meanwhile counts.
 *
 * @example
 * ```ts
 * import * as ClientLayer from "clientele/ClientLayer"
 * import * as GroqClient from "clientele/GroqClient"
 * import { leakCheck } from "clientele/testing/leakCheck"
 * import * as Effect from "effect/Effect"
 *
 * const agent = GroqClient.use({}, (groq) => groq.models.list())
 *
 * export const test = leakCheck(agent.pipe(Effect.provide(ClientLayer.layer())))
 * ```
 *
 * @since 0.1.0
 * @category testing
 */
export const leakCheck = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  { within = "1 second" }: Options = {}
): Effect.Effect<A, E | LeakError, R> =>
  Effect.gen(function* () {
    const map = Option.getOrUndefined(yield* Effect.serviceOption(ClientMap))
    const nothing: Held = new Map()
    const look = map === undefined ? Effect.succeed(nothing) : held(map)
    const before = yield* look
    const fibers = yield* Fibers.watch
    const resources = Resources.watch()
    const find = Effect.gen(function* () {
      const running = yield* fibers.running
      // Connections that the map keeps have another end, if their server is of this process.
      const left = resources.left().filter(({ isOfPool }) => map === undefined || !isOfPool)
      return [
        ...more(before, yield* look),
        ...running.map((what): Leak => ({ kind: "fiber", what })),
        ...left.map(({ kind, madeAt }): Leak => ({ kind, what: `made ${madeAt}` }))
      ]
    })
    const settle = Effect.gen(function* () {
      const end = performance.now() + Duration.toMillis(within)
      for (;;) {
        const leaks = yield* find
        if (leaks.length === 0) return
        if (performance.now() > end) return yield* new LeakError({ leaks })
        yield* Effect.promise(() => pause(LOOK_INTERVAL_MS))
      }
    })
    return yield* Effect.ensuring(
      Effect.tap(fibers.watched(self), () => settle),
      Effect.sync(resources.stop)
    )
  })

/** By a timer that is no leak. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref())
