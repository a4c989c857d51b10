/** The contract of late start, for every way to a client: agents that would only wait start when their turn has come. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import type { ClientConfig, Options } from "../../src/ClientConfig.ts"
import { type ClientError, PoolError, RequestError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import type { PromiseApi } from "../../src/internal/direct/promises.ts"
import * as OpenAiApi from "../../src/OpenAiApi.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import { apiOf } from "./directSubjects.ts"
import { type Holding, serveHolding } from "./holding.ts"
import { eventually } from "./wait.ts"

export const CROWD = 90
export const SOCKETS = 2
/** Sockets, and the started agents that wait for one. */
export const MOST_STARTED = 70

export type Config = ClientConfig<"openai">
type Clients = ClientMap.ClientMap

/** Asks `prompt` of `model`. */
export type Way = (config: Config, prompt: string, model?: string) => Effect.Effect<unknown, unknown, Clients>

export const bodyOf = (prompt: string, model = "m") => ({
  model,
  messages: [{ role: "user" as const, content: prompt }]
})

const withoutEffect = (config: Config, f: (api: PromiseApi, signal: AbortSignal) => Promise<unknown>) =>
  Effect.flatMap(ClientMap.ClientMap, (map) =>
    Effect.tryPromise({ try: (signal) => f(apiOf("openai", map, config), signal), catch: (error) => error })
  )

/** The ways without a model. */
export const ways: Readonly<Record<string, Way>> = {
  use: (config, prompt, model) =>
    OpenAiClient.use(config, (openai) => openai.chat.completions.create(bodyOf(prompt, model))),
  stream: (config, prompt, model) =>
    Stream.runDrain(
      OpenAiClient.stream(config, (openai) =>
        openai.chat.completions.create({ ...bodyOf(prompt, model), stream: true as const })
      )
    ),
  "direct chat": (config, prompt, model) => OpenAiApi.chat(config, bodyOf(prompt, model)),
  "direct chatStream": (config, prompt, model) => Stream.runDrain(OpenAiApi.chatStream(config, bodyOf(prompt, model))),
  "direct embeddings": (config, prompt, model = "m") => OpenAiApi.embeddings(config, { model, input: prompt }),
  "direct request": (config, prompt, model) =>
    OpenAiApi.request(config, { method: "POST", path: "/chat/completions", body: bodyOf(prompt, model) }),
  "chat without Effect": (config, prompt, model) =>
    withoutEffect(config, ({ chat }, signal) => chat(bodyOf(prompt, model), { signal })),
  "chatStream without Effect": (config, prompt, model) =>
    withoutEffect(config, async ({ chatStream }, signal) => {
      for await (const _ of chatStream(bodyOf(prompt, model), { signal })) continue
    })
}

export const run = <A, E>(effect: Effect.Effect<A, E, Clients | Scope.Scope>) =>
  effect.pipe(Effect.provide(ClientLayer.layer({ drainTimeout: 100 })), Effect.scoped)

export const configOf = ({ baseURL }: Holding, options: Partial<Options> = {}) =>
  OpenAiClient.config({
    apiKey: Redacted.make("sk-test"),
    baseURL,
    maxRetries: 0,
    transport: { maxConnections: SOCKETS },
    ...options
  })

/** The client is built. */
export const warm = (config: Config) => OpenAiClient.use(config, () => Promise.resolve())

export const names = (size: number) => Array.from({ length: size }, (_, i) => String(i))

const crowd = (way: Way, config: Config, size = CROWD) =>
  Effect.forEach(names(size), (name) => Effect.fork(way(config, name)))

/** A turn of the event loop, in which an agent comes to its place, after however many steps of fibers. */
const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

export const held = (server: Holding, count: number) => eventually(Effect.sync(server.held), (now) => now === count)

const counts = Effect.map(ClientMap.stats, ({ clients: [client] }) => ({
  leases: client?.leases ?? 0,
  inFlight: client?.inFlight ?? 0,
  queued: client?.queued ?? 0
}))

/** All that do not hold a socket stand in line, and few of them have started. */
export const waiting = Effect.gen(function* () {
  const { inFlight } = yield* eventually(counts, ({ queued }) => queued === CROWD - SOCKETS)
  assert.isAtMost(inFlight, MOST_STARTED)
})

/** The error of ours in one of a model. */
const ours = (error: unknown): ClientError => {
  let at = error
  while (at instanceof Error && !(at instanceof PoolError) && !(at instanceof RequestError)) at = at.cause
  return at as ClientError
}

/** `others` stand in the same line. */
export const startsLate = (name: string, way: Way, others: ReadonlyArray<Way>): void => {
  describe(`${name}, to which a client's sockets are all busy,`, () => {
    for (const when of ["once its client is built", "before its client is built"] as const) {
      it.live(`starts as those ahead have gone, first come first served, ${when}`, () =>
        run(
          Effect.gen(function* () {
            const server = yield* serveHolding
            const config = yield* configOf(server)
            if (when === "once its client is built") yield* warm(config)
            const fibers = yield* crowd(way, config)
            yield* held(server, SOCKETS)
            yield* waiting
            server.open()
            yield* Fiber.joinAll(fibers)
            assert.strictEqual(server.prompts.length, CROWD)
            // Two sockets may overtake each other on the way.
            const moved = server.prompts.filter((prompt, i) => Math.abs(Number(prompt) - i) > SOCKETS)
            assert.deepStrictEqual(moved, [])
            yield* eventually(counts, ({ inFlight, leases, queued }) => leases + inFlight + queued === 0)
          })
        )
      )
    }

    it.live("stands in one line with all other ways", () =>
      run(
        Effect.gen(function* () {
          const server = yield* serveHolding
          const config = yield* configOf(server)
          yield* warm(config)
          const fibers = yield* Effect.forEach(names(CROWD), (name, i) =>
            Effect.zipLeft(Effect.fork((i % 2 === 0 ? way : others[(i >> 1) % others.length]!)(config, name)), turn)
          )
          yield* waiting
          server.open()
          yield* Fiber.joinAll(fibers)
          const moved = server.prompts.filter((prompt, i) => Math.abs(Number(prompt) - i) > SOCKETS)
          assert.deepStrictEqual(moved, [])
        })
      )
    )

    it.live("is interrupted at once where it stands, and leaves its place to the next", () =>
      run(
        Effect.gen(function* () {
          const server = yield* serveHolding
          const config = yield* configOf(server)
          yield* warm(config)
          const fibers = yield* crowd(way, config)
          yield* held(server, SOCKETS)
          yield* waiting
          yield* Fiber.interruptAll(fibers)
          yield* eventually(counts, ({ inFlight, leases, queued }) => leases + inFlight + queued === 0)
          server.open()
          yield* way(config, "next")
          assert.strictEqual(server.prompts.at(-1), "next")
          // None in between was ever sent.
          assert.isAtMost(server.prompts.length, SOCKETS + 1)
        })
      )
    )

    it.live("fails unsent when the layer closes", () =>
      Effect.gen(function* () {
        const server = yield* serveHolding
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(ClientLayer.layer({ drainTimeout: 50 }), scope)
        const config = yield* configOf(server)
        const fibers = yield* Effect.provide(crowd(way, config), context)
        yield* held(server, SOCKETS)
        yield* Effect.provide(waiting, context)
        yield* Effect.fork(Scope.close(scope, Exit.void))
        const errors = yield* Effect.forEach(fibers, (fiber) => Effect.flip(Fiber.join(fiber)))
        const closed = errors.filter((error) => {
          const { reason } = ours(error) as PoolError
          return reason === "Closed"
        })
        assert.isAtLeast(closed.length, CROWD - SOCKETS)
      }).pipe(Effect.scoped)
    )

    it.live("counts for transport.maxQueue: one more is refused at once", () =>
      run(
        Effect.gen(function* () {
          const server = yield* serveHolding
          const config = yield* configOf(server, { transport: { maxConnections: SOCKETS, maxQueue: CROWD - SOCKETS } })
          yield* warm(config)
          const first = yield* crowd(way, config, SOCKETS)
          yield* held(server, SOCKETS)
          const rest = yield* crowd(way, config, CROWD - SOCKETS)
          yield* waiting
          const error = ours(yield* Effect.flip(way(config, "one more")))
          assert.propertyVal(error, "_tag", "PoolError")
          assert.propertyVal(error, "reason", "Capacity")
          assert.include(error.message, `maxQueue (${CROWD - SOCKETS})`)
          server.open()
          yield* Fiber.joinAll([...first, ...rest])
        })
      )
    )

    for (const [option, reason, text] of [
      ["queueTimeout", "QueueTimeout", "longer than queueTimeout"],
      ["deadline", "Timeout", "deadline of 100 ms"]
    ] as const) {
      it.live(`waits no longer than ${option}, from its call, and is not sent`, () =>
        run(
          Effect.gen(function* () {
            const server = yield* serveHolding
            const config = yield* configOf(server)
            yield* warm(config)
            yield* crowd(way, config)
            yield* waiting
            // Another client, of the same tenant.
            const hurried = yield* configOf(server, { [option]: 100 })
            const error = ours(yield* Effect.flip(way(hurried, "hurried")))
            assert.propertyVal(error, "reason", reason)
            assert.propertyVal(error, "processed", "no")
            assert.propertyVal(error, "attempts", 0)
            assert.include(error.message, text)
            assert.notInclude(server.prompts, "hurried")
          })
        )
      )
    }

    it.live("is sent from within as many callbacks of the same line as there may be", () =>
      run(
        Effect.gen(function* () {
          const server = yield* serveHolding
          server.open()
          const config = yield* configOf(server)
          const runtime = yield* Effect.runtime<Clients>()
          const inner = (name: string) => Effect.runPromise(Effect.provide(way(config, name), runtime))
          yield* Effect.forEach(names(CROWD), (name) => OpenAiClient.use(config, () => inner(name)), {
            concurrency: "unbounded",
            discard: true
          })
          assert.strictEqual(server.prompts.length, CROWD)
        })
      )
    )

    it.live("is not held up by the quota of another model", () =>
      run(
        Effect.gen(function* () {
          const server = yield* serveHolding
          const config = yield* configOf(server, { quota: { maxConcurrency: 1 }, transport: { maxConnections: 8 } })
          yield* warm(config)
          yield* crowd(way, config)
          yield* held(server, 1)
          yield* Effect.fork(way(config, "other", "another-model"))
          yield* held(server, 2)
          assert.strictEqual(server.prompts.at(-1), "other")
          // From now on it is known that there are two.
          yield* Effect.fork(way(config, "third", "third-model"))
          yield* held(server, 3)
          assert.strictEqual(server.prompts.at(-1), "third")
        })
      )
    )
  })
}
