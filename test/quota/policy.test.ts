/** The one retry policy, through each SDK: retried requests, their number, and their records. */
import { describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as http from "node:http"
import type { Socket } from "node:net"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { hurried } from "../support/hurried.ts"
import { openai6 } from "../support/openai6.ts"
import { ask, nobody, subjects } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

type Headers = Readonly<Record<string, string>>

const date = "Wed, 21 Oct 2015 07:28:00 GMT"

const again = { requests: 2, ended: "ok" }
const typed = (reason: string, retryAfter?: number) => ({
  requests: 1,
  ended: { reason, attempts: 1, retryAfter }
})

type Row = readonly [status: number, headers: Headers, outcome: object, atLeast?: number]

/** Outcomes after a first answer of this kind, if a second would be good. */
const answers: ReadonlyArray<Row> = [
  [408, {}, again],
  [409, {}, again],
  [429, {}, again],
  [500, {}, again],
  [502, {}, again],
  [503, {}, again],
  [504, {}, again],
  [529, {}, again],
  [400, {}, typed("BadRequest")],
  [403, {}, typed("Permission")],
  [404, {}, typed("NotFound")],
  [422, {}, typed("BadRequest")],
  [400, { "x-should-retry": "true" }, again],
  [500, { "x-should-retry": "false" }, typed("Server")],
  [429, { "x-should-retry": "false" }, typed("RateLimited")],
  [429, { "retry-after": "0" }, again],
  [429, { "retry-after": "7" }, again, 7_000],
  [503, { "retry-after-ms": "6500" }, again, 6_500],
  [500, { "retry-after": "7" }, again, 7_000],
  [429, { date, "retry-after": "Wed, 21 Oct 2015 07:28:09 GMT" }, again, 9_000],
  [429, { date, "retry-after": "Wed, 21 Oct 2015 07:20:00 GMT" }, again],
  [429, { "retry-after": "-5" }, again],
  [429, { "retry-after": "NaN" }, again],
  [429, { "retry-after": "Infinity" }, again],
  [429, { "retry-after": "99999999999999999999" }, again],
  [429, { "retry-after": "90" }, typed("RateLimited", 90_000)],
  [503, { "retry-after": "90" }, typed("Server", 90_000)],
  [500, { "retry-after": "90" }, typed("Server", 90_000)],
  [429, { "retry-after": "4000000" }, typed("RateLimited", 4_000_000_000)],
  [429, { "retry-after-ms": "4000000" }, typed("RateLimited", 4_000_000)],
  [429, { date, "retry-after": "Wed, 21 Oct 2015 08:28:00 GMT" }, typed("RateLimited", 3_600_000)]
]

const count = (metric: typeof Telemetry.attempts, provider: string, label: string, value: string) =>
  Effect.map(
    Metric.value(metric.pipe(Metric.tagged("provider", provider), Metric.tagged(label, value))),
    (state) => state.count
  )

for (const subject of [...subjects, openai6]) {
  describe(`the retry policy, with ${subject.name}`, () => {
    it.scoped("is the same for any answer, however odd", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const found = yield* Effect.forEach(
          answers,
          ([status, headers, , atLeast], i) =>
            Effect.gen(function* () {
              const key = `sk-${i}`
              sandbox.faults.push({
                match: { apiKey: key },
                times: 1,
                fault: { type: "status", status, headers }
              })
              const config = yield* subject.config(sandbox, { key })
              const before = yield* Clock.currentTimeMillis
              const result = yield* Effect.either(subject.ask(config))
              const took = (yield* Clock.currentTimeMillis) - before
              const ended = Either.match(result, {
                onRight: () => "ok",
                onLeft: (error) =>
                  error._tag !== "RequestError"
                    ? error._tag
                    : {
                        reason: error.reason,
                        attempts: error.attempts,
                        retryAfter: error.retryAfter && Duration.toMillis(error.retryAfter)
                      }
              })
              const outcome = { requests: sandbox.stats().requestsByKey.get(key), ended }
              if (atLeast === undefined) return [status, headers, outcome] satisfies Row
              assert.isAtLeast(took, atLeast)
              return [status, headers, outcome, atLeast] satisfies Row
            }),
          { concurrency: "unbounded" }
        ).pipe(hurried)
        assert.deepStrictEqual<ReadonlyArray<Row>>(found, answers)
      }).pipe(Effect.provide(ClientLayer.layer()))
    )

    it.scoped("makes no more than maxRetries retries, whatever each response asks", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const wishes = ["0", "-5", "NaN", "4000000", date]
        const found = yield* Effect.forEach(
          wishes,
          (wish) =>
            Effect.gen(function* () {
              const key = `sk-${wish}`
              sandbox.faults.push({
                match: { apiKey: key },
                fault: { type: "status", status: 429, headers: { "retry-after": wish } }
              })
              const error = yield* Effect.flip(subject.ask(yield* subject.config(sandbox, { key, maxRetries: 3 })))
              return [sandbox.stats().requestsByKey.get(key), error._tag === "RequestError" && error.attempts]
            }),
          { concurrency: "unbounded" }
        ).pipe(hurried)
        assert.deepStrictEqual(
          found,
          wishes.map((wish) => (wish === "4000000" ? [1, 1] : [4, 4]))
        )
      }).pipe(Effect.provide(ClientLayer.layer()))
    )

    it.scoped("retries unsent requests no more often than maxRetries allows, where none may wait", () =>
      Effect.gen(function* () {
        for (const [options, attempts] of [
          [{ maxRetries: 0 }, 1],
          // That nobody is there is known by then.
          [{ maxRetries: 1, maxRetryAfter: 0 }, 0]
        ] as const) {
          const config = yield* subject.config(nobody, options)
          const error = yield* Effect.flip(hurried(subject.ask(config)))
          assert.deepInclude(error, { _tag: "RequestError", reason: "Connection", processed: "no", attempts })
        }
      }).pipe(Effect.provide(ClientLayer.layer()))
    )

    it.live("counts attempts, retries and waits, and needs one socket for all", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 20 })
        sandbox.faults.push({ times: 1, fault: { type: "status", status: 500 } })
        const config = yield* subject.config(sandbox, { quota: { maxConcurrency: 1 } })
        const { provider } = config
        const counts = Effect.all([
          count(Telemetry.attempts, provider, "outcome", "ok"),
          count(Telemetry.attempts, provider, "outcome", "server"),
          count(Telemetry.retries, provider, "reason", "server"),
          Effect.map(Metric.value(Telemetry.quotaWait.pipe(Metric.tagged("provider", provider))), (it) => it.count)
        ])
        const before = yield* counts
        yield* subject.ask(config)
        const after = yield* counts
        assert.deepStrictEqual(
          after.map((now, i) => now - before[i]!),
          [1, 1, 1, 0]
        )
        yield* Effect.all([subject.ask(config), subject.ask(config)], { concurrency: "unbounded" })
        assert.deepStrictEqual(
          (yield* counts).map((now, i) => now - after[i]!),
          [2, 0, 0, 1]
        )
        // The body of the answer that was given up was read or cancelled, or its socket would still be busy.
        assert.strictEqual(sandbox.stats().connections.total, 1)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  })
}

describe("an error whose body does not end", () => {
  it.live("is cancelled with its socket before the next attempt, and leaves nothing", () =>
    Effect.gen(function* () {
      const sockets = new Set<Socket>()
      let requests = 0
      const server = yield* Effect.acquireRelease(
        Effect.async<http.Server>((resume) => {
          const made = http.createServer((_, response) => {
            if (++requests === 1) return void response.writeHead(503).write("one moment ")
            return void response
              .writeHead(200, { "content-type": "application/json" })
              .end('{"choices":[{"message":{"content":"hi"}}]}')
          })
          made.on("connection", (socket) => {
            sockets.add(socket)
            socket.on("close", () => sockets.delete(socket))
          })
          made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
        }),
        (made) =>
          Effect.sync(() => {
            made.closeAllConnections()
            made.close()
          })
      )
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const config = yield* OpenAiClient.config({
        apiKey: Redacted.make("sk-test"),
        baseURL: `http://127.0.0.1:${port}/v1`,
        quota: { maxConcurrency: 1 },
        transport: { maxConnections: 1 }
      })
      const agents = yield* Effect.fork(
        Effect.forEach([1, 2, 3], () => OpenAiClient.use(config, (client) => ask(client)), { concurrency: "unbounded" })
      )
      assert.deepStrictEqual(yield* Fiber.join(agents), ["hi", "hi", "hi"])
      assert.strictEqual(requests, 4)
      yield* eventually(
        Effect.sync(() => sockets.size),
        (open) => open === 1
      )
      const { clients, quotas } = yield* ClientMap.stats
      assert.deepStrictEqual([clients[0]!.inFlight, quotas[0]!.inFlight, quotas[0]!.queued], [0, 0, 0])
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})
