/** The servers that every model must get along with: the sandbox, and one that nobody here wrote. */
import { type Fixture, LLMock } from "@copilotkit/aimock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import * as Said from "./contractOdd.ts"

/** An answer beside the usual one, for the next request alone. */
export type Odd = Said.Scripted | { readonly status: 429 | 500 } | "length" | "garbage" | "cut"

export interface Running {
  /** The `baseURL` for an SDK (Azure: `endpoint`). */
  readonly baseURL: (provider: Sandbox.ProviderName) => string
  /** @default a whole answer, but for what only a stream can be */
  readonly next: (odd: Odd, as?: "whole" | "stream") => void
  readonly requests: () => number
  /** Names of subjects to whom it can't say that the model refused. */
  readonly neverRefuses: ReadonlyArray<string>
}

export interface ContractServer {
  readonly name: string
  readonly make: Effect.Effect<Running, unknown, Scope.Scope>
}

const say = ({ events, whole }: typeof Said.chat, odd: Said.Scripted, isStream: boolean): Sandbox.Fault => ({
  type: "status",
  status: 200,
  body: isStream ? events(odd) : JSON.stringify(whole(odd)),
  ...(isStream && { headers: { "content-type": "text/event-stream" } })
})

const faultsOf = (odd: Odd, isStream: boolean): ReadonlyArray<Sandbox.FaultRule> => {
  // It counts tokens: `maxTokens` cuts its answers.
  if (odd === "length") return []
  if (odd === "garbage") return [{ times: 1, fault: { type: "garbage", what: "json" } }]
  if (odd === "cut") return [{ times: 1, fault: { type: "resetMidBody", afterChunks: 7 } }]
  if (typeof odd === "object" && "status" in odd) return [{ times: 1, fault: { type: "status", status: odd.status } }]
  return [
    { times: 1, match: { path: /responses$/ }, fault: say(Said.responses, odd, isStream) },
    { times: 1, match: { path: /completions$/ }, fault: say(Said.chat, odd, isStream) }
  ]
}

const sandbox: ContractServer = {
  name: "the sandbox",
  make: Effect.map(Sandbox.make(), (running) => ({
    baseURL: running.baseURL,
    // Replaces the rules: an unused rule for the other API would match a later request.
    next: (odd, as) => running.faults.replace(faultsOf(odd, as === "stream")),
    requests: () => running.stats().requests,
    neverRefuses: []
  }))
}

/** Both names, since both APIs read the same fixtures. */
const usage = { prompt_tokens: 3, completion_tokens: 4, input_tokens: 3, output_tokens: 4, total_tokens: 7 }

const oddFixture = (odd: Odd): Omit<Fixture, "match"> => {
  if (odd === "length") return { response: { content: "one two", finishReason: "length", usage } }
  if (odd === "refusal") return { response: { content: "", finishReason: "content_filter", usage } }
  // In JSON, whatever is asked for.
  if (odd === "failed") return { response: { error: { message: "out of luck", code: "server_error" }, status: 200 } }
  if (odd === "empty") return { response: { content: "", usage } }
  if (odd === "garbage") return { response: { content: "x" }, chaos: { malformedRate: 1 } }
  if (odd === "cut") {
    // A pause between its events, so that the first are on the wire when the socket ends.
    return { response: { content: "a long text ".repeat(20) }, chunkSize: 5, latency: 2, truncateAfterChunks: 16 }
  }
  if ("status" in odd) return { response: { error: { message: "not now" }, status: odd.status, retryAfter: 0 } }
  if ("text" in odd) return { response: { content: odd.text, usage } }
  return { response: { toolCalls: odd.calls.map((call, i) => ({ ...call, id: `call_${i}` })), usage } }
}

const call = (name: string, params: object) => ({ name, arguments: JSON.stringify(params), id: `call_${name}` })

const rome = call("weather", { city: "Rome", place: { lat: 41.9, lon: 12.5, near: ["sea"] } })

const usual = (mock: LLMock): LLMock =>
  mock
    .on({ hasToolResult: true }, { content: "it is warm", usage })
    .onMessage("a person", { content: JSON.stringify({ name: "Ada", age: null, tags: ["x"] }), usage })
    .onMessage("call both", { toolCalls: [rome, call("clock", { zone: "CET" })], usage })
    .onMessage("weather", { toolCalls: [rome], usage })
    .onMessage("hello", { content: "one two three four five", usage }, { chunkSize: 4 })

const aimock: ContractServer = {
  name: "aimock",
  make: Effect.map(
    Effect.acquireRelease(
      Effect.promise(() => LLMock.create({ host: "127.0.0.1", port: 0 })),
      (mock) => Effect.promise(() => mock.stop())
    ),
    (mock) => {
      usual(mock)
      return {
        baseURL: (provider) => (provider === "openai" ? `${mock.url}/v1` : mock.url),
        next: (odd) => {
          const at = mock.getRequests().length
          mock.prependFixture({ match: { predicate: () => mock.getRequests().length === at }, ...oddFixture(odd) })
        },
        requests: () => mock.getRequests().length,
        // To it a filtered answer is a failed one there.
        neverRefuses: ["openai, responses"]
      }
    }
  )
}

export const servers: ReadonlyArray<ContractServer> = [sandbox, aimock]
