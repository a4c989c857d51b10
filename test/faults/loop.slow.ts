/** The row of the matrix that can't share its process: an event loop that is blocked. */
import { Worker } from "node:worker_threads"
import { once } from "node:events"
import { it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { assert, describe } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import type { Options } from "../../src/testing/Sandbox.ts"
import { question, subjects } from "../support/providers.ts"
import { ask } from "./ask.ts"
import { fails, mismatch } from "./expected.ts"
import { baseURL } from "./server/provider.ts"

/** A sandbox that goes on while this thread is blocked. */
const sandbox = (options: Options) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const worker = new Worker(new URL("../support/children/sandbox.ts", import.meta.url), { workerData: options })
        const [origin] = (await once(worker, "message")) as [string]
        return { origin, worker, requested: once(worker, "message") }
      }),
      ({ worker }) => Effect.promise(() => worker.terminate())
    ),
    ({ origin, requested, worker }) => ({
      ca: certificate.ca,
      baseURL: baseURL(origin),
      /** Its first request has come. */
      requested: Effect.promise(() => requested),
      die: () => void worker.terminate()
    })
  )

/**
 * For so many ms nothing else happens on this thread. In the phase after which timers go first: those that are due by then
 * run before anything is read.
 */
const block = (ms: number) =>
  Effect.async<void>((resume) => {
    setImmediate(() => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
      resume(Effect.void)
    })
  })

/** A busy machine sends a request within this, and the thread of the sandbox answers it within twice as long. */
const TIMEOUT_MS = 1_500

const runs = [
  ["chat", "HTTP/1.1"],
  ["stream", "HTTP/1.1 over TLS"],
  ["chat", "HTTP/2"],
  ["stream", "HTTP/2"]
] as const

describe("an event loop that was blocked for longer than all timeouts", () => {
  for (const [index, [kind, protocol]] of runs.entries()) {
    const subject = subjects[index]!
    it.live(`harms no ${kind} of ${subject.name} over ${protocol} that was answered meanwhile`, () =>
      Effect.gen(function* () {
        const place = yield* sandbox({
          tls: protocol !== "HTTP/1.1",
          protocol: protocol === "HTTP/2" ? "h2" : "http/1.1",
          latency: 100,
          tokens: 3,
          timePerToken: kind === "stream" ? 60 : 0
        })
        const config = yield* subject.config(place, {
          timeout: TIMEOUT_MS,
          bodyTimeout: TIMEOUT_MS,
          deadline: 2 * TIMEOUT_MS,
          maxRetries: 0,
          transport: { http2: protocol === "HTTP/2" }
        })
        const asked = yield* Effect.fork(ask(subject, config, kind, "asleep", undefined))
        // Not answered yet: that takes longer.
        yield* place.requested
        yield* block(2.5 * TIMEOUT_MS)
        const outcome = yield* Fiber.join(asked)
        assert.strictEqual(outcome.type, "answer", outcome.type === "error" ? outcome.error.message : "")
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  }
})

describe("an event loop that was stopped while its connections broke, as those of a machine that sleeps do", () => {
  for (const [index, [kind, protocol]] of runs.entries()) {
    const subject = subjects[index]!
    it.live(`fails a ${kind} of ${subject.name} over ${protocol} with Connection, however late it is`, () =>
      Effect.gen(function* () {
        const place = yield* sandbox({
          tls: protocol !== "HTTP/1.1",
          protocol: protocol === "HTTP/2" ? "h2" : "http/1.1",
          latency: 100,
          faults: [{ match: { model: "asleep" }, fault: { type: "resetBeforeHeaders" } }]
        })
        const config = yield* subject.config(place, {
          timeout: TIMEOUT_MS,
          deadline: 2 * TIMEOUT_MS,
          maxRetries: 0,
          transport: { http2: protocol === "HTTP/2" }
        })
        const asked = yield* Effect.fork(ask(subject, config, kind, "asleep", undefined))
        yield* place.requested
        yield* block(2.5 * TIMEOUT_MS)
        const cell = fails("Connection", { processed: "maybe", attempts: 1 })
        assert.strictEqual(mismatch(cell, kind, yield* Fiber.join(asked), 1), undefined)
        const later = yield* ask(subject, config, kind, "awake", undefined)
        assert.strictEqual(later.type, "answer", later.type === "error" ? later.error.message : "")
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  }

  for (const [index, [, protocol]] of runs.slice(1, 3).entries()) {
    const subject = subjects[index]!
    it.live(`fails a stream of ${subject.name} over ${protocol} in mid body with Connection too`, () =>
      Effect.gen(function* () {
        const place = yield* sandbox({
          tls: true,
          protocol: protocol === "HTTP/2" ? "h2" : "http/1.1",
          faults: [{ fault: { type: "stall", at: "body" } }]
        })
        const http2 = protocol === "HTTP/2"
        const config = yield* subject.config(place, { bodyTimeout: TIMEOUT_MS, maxRetries: 0, transport: { http2 } })
        const pieces = subject.streamWith(config, (client) =>
          client.chat.completions.create({ ...question("hello"), stream: true })
        )
        const begun = yield* Deferred.make<void>()
        const asked = yield* Effect.fork(
          Effect.flip(Stream.runForEach(pieces, () => Deferred.succeed(begun, undefined)))
        )
        yield* Deferred.await(begun)
        // So that it waits for the next piece.
        yield* Effect.sleep(20)
        place.die()
        yield* block(2.5 * TIMEOUT_MS)
        const cell = fails("Connection", { processed: "yes", attempts: 1 })
        const error = yield* Fiber.join(asked)
        assert.strictEqual(mismatch(cell, "stream", { type: "error", error }, 1), undefined)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  }
})
