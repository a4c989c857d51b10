/** Calls that no provider could answer are typed errors, and are not sent. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import type { ClientError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as AzureOpenAiApi from "../../src/AzureOpenAiApi.ts"
import * as Redacted from "effect/Redacted"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { body, providers } from "./doors.ts"

const circle: Record<string, unknown> = {}
circle["self"] = circle

const badBodies: ReadonlyArray<readonly [name: string, body: unknown, detail: RegExp]> = [
  ["nothing", undefined, /body is no object/],
  ["null", null, /body is no object/],
  ["a text", "hello", /body is no object/],
  ["a function", () => undefined, /body is no object/],
  ["no model", { messages: [] }, /names no model/],
  ["an empty model", { ...body(), model: "  " }, /names no model/],
  ["a model that is no text", { ...body(), model: 7 }, /names no model/],
  ["a bigint", { ...body(), seed: 7n }, /JSON can't hold the request's body: .*BigInt/],
  ["a circle", { ...body(), circle }, /JSON can't hold the request's body: .*circular/],
  ["a toJSON that throws", { ...body(), toJSON: () => assert.fail("no JSON") }, /JSON can't hold.*no JSON/],
  ["a toJSON that gives nothing", { ...body(), toJSON: () => undefined }, /JSON can't hold/]
]

const badOptions: ReadonlyArray<readonly [name: string, options: object, detail: RegExp]> = [
  ["a timeout below 0", { timeout: -1 }, /timeout is -1; expected a duration above 0/],
  ["a timeout that is no duration", { timeout: "soon" }, /timeout is a string/],
  ["retries below 0", { maxRetries: -1 }, /maxRetries is no integer/],
  ["half a retry", { maxRetries: 0.5 }, /maxRetries is no integer/],
  ["a header with a line break", { headers: { "x-a": "a\nb" } }, /header "x-a" has invalid/],
  ["a header without a name", { headers: { "": "a" } }, /header name/],
  ["a header of the connection", { headers: { "Transfer-Encoding": "x" } }, /belongs to the connection/],
  ["a parameter that is an object", { query: { a: { b: 1 } } }, /query parameter "a" is no string/]
]

const badRequests: ReadonlyArray<readonly [name: string, request: object, detail: RegExp]> = [
  ["a method that there is not", { method: "BREW", path: "/models" }, /method is none of/],
  ["a method in lower case", { method: "get", path: "/models" }, /method is none of/],
  ["a path without a slash", { method: "GET", path: "models" }, /path does not begin with one "\/"/],
  ["another server", { method: "GET", path: "//evil.example/models" }, /path does not begin with one "\/"/],
  ["a URL", { method: "GET", path: "https://evil.example/models" }, /path does not begin/],
  ["no path", { method: "GET" }, /path does not begin/],
  ["a GET with a body", { method: "GET", path: "/models", body: {} }, /GET request can.t ha/],
  ["a body that is a text", { method: "POST", path: "/models", body: "x" }, /body is no object/]
]

const unsent = (error: ClientError, detail: RegExp): void => {
  assert.deepInclude({ ...error }, { _tag: "RequestError", reason: "BadRequest", processed: "no", attempts: 0 })
  assert.match(error._tag === "RequestError" ? error.detail : "", detail)
}

describe.each(providers)("a direct call of $name", ({ direct, subject }) => {
  it.live("that can't be sent fails typed, with what is wrong in it", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const config = yield* subject.config(sandbox)
      for (const [, given, detail] of badBodies) {
        unsent(yield* Effect.flip(direct.chat(config, given as never)), detail)
        unsent(yield* Effect.flip(Stream.runDrain(direct.chatStream(config, given as never))), detail)
        if (direct.embeddings !== undefined) {
          unsent(yield* Effect.flip(direct.embeddings(config, given as never)), detail)
        }
      }
      for (const [, options, detail] of badOptions) {
        unsent(yield* Effect.flip(direct.chat(config, body(), options as never)), detail)
        unsent(yield* Effect.flip(direct.request(config, { method: "GET", path: "/models", ...options })), detail)
      }
      for (const [, request, detail] of badRequests) {
        unsent(yield* Effect.flip(direct.request(config, request as never)), detail)
      }
      unsent(yield* Effect.flip(direct.chat(config, { ...body(), stream: true })), /`chatStream` is for/)
      const whole = Stream.runDrain(direct.chatStream(config, { ...body(), stream: false }))
      unsent(yield* Effect.flip(whole), /`stream` is not true/)
      assert.strictEqual(sandbox.stats().requests, 0)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})

describe("a direct call of Azure", () => {
  it.live("needs no model where there is a deployment, and takes none that leaves its path", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const options = {
        apiKey: Redacted.make("sk-1"),
        endpoint: sandbox.baseURL("azure"),
        apiVersion: "2024-10-21"
      }
      const { messages } = body()
      yield* AzureOpenAiApi.chat({ ...options, deployment: "mine" }, { messages } as never)
      for (const model of ["..", ".", "%2e%2E"]) {
        const asked = { ...body(), model } as never
        const ended = yield* Effect.exit(AzureOpenAiApi.chat(options, asked))
        if (model === "%2e%2E") assert.strictEqual(sandbox.stats().requests, 2)
        else unsent(yield* Effect.flip(ended), /deployment can't be named/)
      }
      assert.match(sandbox.stats().log[1]!.path, /\/deployments\/%252e%252E\/chat/)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})
