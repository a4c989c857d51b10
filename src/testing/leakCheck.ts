/**
 * An effect that fails when it leaves something behind.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Supervisor from "effect/Supervisor"
import { ClientMap, type Service } from "../ClientMap.ts"
import * as Resources from "../internal/testing/resources.ts"

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
 * What an effect left behind.
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
 * How long it looks.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** By the real clock: what ends within is no leak. @default 1 second */
  readonly within?: Duration.DurationInput | undefined
}

const alive = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Leak => {
  const { currentSpan } = fiber
  const named = currentSpan?._tag === "Span" ? `, in the span '${currentSpan.name}'` : ""
  return { kind: "fiber", what: `${FiberId.threadName(fiber.id())}${named}` }
}

const leased = (service: Service): Effect.Effect<ReadonlyArray<Leak>> =>
  Effect.map(service.stats, ({ clients }) =>
    clients.flatMap(({ baseURL, fingerprint, inFlight, leases, provider }): ReadonlyArray<Leak> => {
      const what = `of the client of ${provider} (${baseURL}, ${fingerprint})`
      return [
        ...(leases > 0 ? [{ kind: "lease" as const, what: `${leases} ${what}` }] : []),
        ...(inFlight > 0 ? [{ kind: "request" as const, what: `${inFlight} ${what}` }] : [])
      ]
    })
  )

/** Between two looks, by the real clock: a test's own does not move. */
const PAUSE = 10

/**
 * Runs `self`, and fails with a `LeakError` if it succeeds and leaves something: leases and requests of the `ClientMap`
 * that it was given, sockets and timers that keep the process alive, fibers that it forked. Each is named. Connections
 * that the client map keeps for those who come next are none, if the map is given from outside; provide the client layer
 * inside, and they must be closed too.
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
    const fibers = yield* Supervisor.track
    const resources = Resources.watch()
    const look = Effect.gen(function* () {
      const running = yield* fibers.value
      const { sockets } = map === undefined ? { sockets: 0 } : yield* map.stats
      const left = resources.left()
      return [
        ...(map === undefined ? [] : yield* leased(map)),
        ...running.filter((fiber) => fiber.unsafePoll() === null).map(alive),
        ...left.filter(({ kind }) => kind === "timer"),
        // Those of the map are somebody's, and they are the first to be opened.
        ...left.filter(({ kind }) => kind === "socket").slice(sockets)
      ].map((leak): Leak => ("madeAt" in leak ? { kind: leak.kind, what: `made ${leak.madeAt}` } : leak))
    })
    const settle = Effect.gen(function* () {
      const end = performance.now() + Duration.toMillis(within)
      for (;;) {
        const leaks = yield* look
        if (leaks.length === 0) return
        if (performance.now() > end) return yield* new LeakError({ leaks })
        yield* Effect.promise(() => pause(PAUSE))
      }
    })
    return yield* Effect.ensuring(
      Effect.tap(Effect.supervised(self, fibers), () => settle),
      Effect.sync(resources.stop)
    )
  })

/** By a timer that is no leak. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref())
