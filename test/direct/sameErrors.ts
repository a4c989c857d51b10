/** One failure is the same error through all doors of a provider. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import type { CommonOptions } from "../../src/ClientConfig.ts"
import type { ClientError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import type * as ClientMap from "../../src/ClientMap.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { nobody } from "../support/providers.ts"
import { body, type Door, type Doors, facts } from "./doors.ts"

/** The same sandbox for all doors, each after the other. */
const compared = <A>(
  options: Sandbox.Options,
  run: (door: Door, sandbox: Sandbox.Sandbox) => Effect.Effect<A, unknown, ClientMap.ClientMap>,
  doors: ReadonlyArray<Door>
) =>
  Effect.forEach(doors, (door) =>
    Effect.flatMap(Sandbox.make(options), (sandbox) => Effect.provide(run(door, sandbox), ClientLayer.layer()))
  )

const bodies: ReadonlyArray<readonly [name: string, type: string, body: string]> = [
  ["the provider's own", "", ""],
  ["a message under `error`", "application/json", '{"error":{"message":"no\\nway","type":"t","code":"c"}}'],
  ["a message at the top", "application/json", '{"message":"no way","code":"c"}'],
  ["an error that is a text", "application/json", '{"error":"no way"}'],
  ["an error without a message", "application/json", '{"error":{"reason":"no way"}}'],
  ["a message that is no text", "application/json", '{"error":{"message":{"en":"no way"}}}'],
  ["plain text", "text/plain", "no way"],
  ["a page", "text/html", "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"],
  ["nothing", "text/plain", " "]
]

/** Declares the tests of one provider. */
export const sameErrors = ({ direct, name, sdk, subject, withoutEffect }: Doors): void => {
  const doors = [sdk, direct, withoutEffect]
  const configOf = (sandbox: Sandbox.Sandbox, options: CommonOptions & { readonly key?: string } = {}) =>
    // The sandbox knows Cerebras by its SDK's User-Agent.
    subject.config(sandbox, { ...options, headers: { "x-sandbox-provider": name } })

  /** The error of each door, which are one. */
  const sameError = (
    options: Sandbox.Options,
    client: CommonOptions,
    as: "whole" | "stream" | "both" = "both"
  ): Effect.Effect<ReadonlyArray<unknown>, unknown, Scope.Scope> => {
    const run = (door: Door, sandbox: Sandbox.Sandbox) =>
      Effect.gen(function* () {
        const config = yield* configOf(sandbox, client)
        const errors: Array<ClientError> = []
        if (as !== "stream") errors.push(yield* Effect.flip(door.chat(config, body())))
        if (as !== "whole") errors.push(yield* Effect.flip(Stream.runDrain(door.chatStream(config, body()))))
        const anonymous = (error: unknown) =>
          JSON.parse(JSON.stringify(facts(error as ClientError)).replaceAll(String(sandbox.port), "PORT")) as unknown
        return { errors: errors.map(anonymous), requests: sandbox.stats().requests }
      })
    return Effect.gen(function* () {
      const [first, ...others] = yield* compared(options, run, doors)
      for (const other of others) assert.deepStrictEqual(other, first)
      return first!.errors
    })
  }

  describe(`the doors of ${name} fail with one error for`, () => {
    for (const status of [400, 401, 403, 404, 408, 409, 422, 429, 500, 503]) {
      it.scopedLive(`status ${status}`, () =>
        Effect.gen(function* () {
          const headers = { "retry-after": "7", "x-request-id": "req-7" }
          const faults = [{ fault: { type: "status", status, headers } as const }]
          const [error] = yield* sameError({ faults }, { maxRetries: 0, maxRetryAfter: 0 }, "whole")
          assert.deepInclude(error, { status, requestId: "req-7", attempts: 1 })
        })
      )
    }

    for (const [what, type, text] of bodies) {
      it.scopedLive(`an error body that is ${what}`, () =>
        Effect.gen(function* () {
          const own = type === "" ? {} : { headers: { "content-type": type }, body: text }
          const faults = [{ fault: { type: "status", status: 418, ...own } as const }]
          const [error] = yield* sameError({ faults }, { maxRetries: 0 })
          assert.deepInclude(error, { status: 418, reason: "BadRequest" })
        })
      )
    }

    it.scopedLive("an account that is used up", () =>
      Effect.gen(function* () {
        const faults = [{ fault: { type: "status", status: 429, code: "insufficient_quota" } as const }]
        const [error] = yield* sameError({ faults }, { maxRetries: 3 }, "whole")
        assert.deepInclude(error, { reason: "QuotaExceeded", attempts: 1 })
      })
    )

    it.scopedLive("statuses that outlast the retries, with the number of attempts", () =>
      Effect.gen(function* () {
        const headers = { "retry-after": "0.01" }
        const faults = [{ fault: { type: "status", status: 500, headers } as const }]
        const transport = { circuitFailures: false } as const
        const errors = yield* sameError({ faults }, { maxRetries: 2, transport })
        for (const error of errors) assert.deepInclude(error, { status: 500, attempts: 3 })
      })
    )

    it.scopedLive("headers that come too late", () =>
      Effect.gen(function* () {
        const faults = [{ fault: { type: "stall", at: "headers" } as const }]
        const errors = yield* sameError({ faults }, { maxRetries: 0, timeout: 400 })
        for (const error of errors) assert.deepInclude(error, { reason: "Timeout", processed: "maybe" })
      })
    )

    it.scopedLive("a body that stalls", () =>
      Effect.gen(function* () {
        const faults = [{ fault: { type: "stall", at: "body", afterBytes: 200 } as const }]
        const errors = yield* sameError({ faults }, { maxRetries: 0, bodyTimeout: 50 })
        for (const error of errors) assert.deepInclude(error, { reason: "Timeout" })
      })
    )

    it.scopedLive("a deadline that passes in mid-stream", () =>
      Effect.gen(function* () {
        const errors = yield* compared(
          { timePerToken: 20, tokens: 1_000 },
          (door, sandbox) =>
            Effect.flatMap(configOf(sandbox, { deadline: 150 }), (config) =>
              Effect.flip(Stream.runDrain(door.chatStream(config, body())))
            ),
          doors
        )
        // A slow machine may come to it before the answer has begun, which `processed` tells.
        for (const error of errors) {
          assert.deepInclude({ ...error }, { reason: "Timeout", attempts: 1 })
          assert.match(error.message, /deadline of 150 ms/)
        }
      })
    )

    it.scopedLive("JSON that is none, as an answer and as an event", () =>
      Effect.gen(function* () {
        for (const [as, type, text] of [
          ["whole", "application/json", '{"choices": ['],
          ["stream", "text/event-stream", 'data: {"choices": [\n\ndata: [DONE]\n\n']
        ] as const) {
          const run = (door: Door, sandbox: Sandbox.Sandbox) =>
            Effect.gen(function* () {
              sandbox.faults.push({
                fault: { type: "status", status: 200, headers: { "content-type": type }, body: text }
              })
              const config = yield* configOf(sandbox)
              return yield* Effect.flip(
                as === "whole" ? door.chat(config, body()) : Stream.runDrain(door.chatStream(config, body()))
              )
            })
          for (const error of yield* compared({}, run, doors)) {
            assert.deepInclude({ ...error }, { reason: "Malformed", processed: "yes", attempts: 1 })
          }
        }
      })
    )

    it.scopedLive("an error event, and an invalid one, of a request that was sent again", () =>
      Effect.gen(function* () {
        const transport = { circuitFailures: false } as const
        for (const text of ['data: {"error":{"message":"no more"}}\n\n', "data: {\n\n"]) {
          const again = { type: "status", status: 503, headers: { "retry-after": "0.01" } } as const
          const headers = { "content-type": "text/event-stream" }
          const told = { type: "status", status: 200, headers, body: text } as const
          const run = (door: Door, sandbox: Sandbox.Sandbox) => {
            sandbox.faults.replace([{ times: 1, fault: again }, { fault: told }])
            return Effect.flatMap(configOf(sandbox, { transport }), (config) =>
              Effect.flip(Stream.runDrain(door.chatStream(config, body())))
            )
          }
          for (const error of yield* compared({}, run, doors)) assert.deepInclude({ ...error }, { attempts: 2 })
        }
      })
    )

    it.scopedLive("a page in the place of an answer", () =>
      Effect.gen(function* () {
        const headers = { "content-type": "text/html" }
        const faults = [{ fault: { type: "status", status: 200, headers, body: "<html></html>" } as const }]
        for (const error of yield* sameError({ faults }, {})) assert.deepInclude(error, { reason: "Malformed" })
      })
    )

    it.scopedLive("an error that an answer of status 200 consists of", () =>
      Effect.gen(function* () {
        const text = JSON.stringify({ error: { message: "no more", code: "insufficient_quota" } })
        const faults = [{ fault: { type: "status", status: 200, body: text } as const }]
        const errors = yield* sameError({ faults }, {}, "whole")
        assert.deepInclude(errors[0], { reason: "QuotaExceeded", detail: "no more", processed: "yes" })
      })
    )

    it.scopedLive("a server that nobody is at", () =>
      Effect.gen(function* () {
        const config = yield* subject.config(nobody, { maxRetries: 0 })
        const [first, ...others] = yield* Effect.forEach(doors, (door) =>
          Effect.provide(Effect.flip(door.chat(config, body())), ClientLayer.layer())
        )
        for (const other of others) assert.deepStrictEqual(facts(other), facts(first!))
        assert.deepInclude(facts(first!), { reason: "Connection", processed: "no" })
      })
    )
  })
}
