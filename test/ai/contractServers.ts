/** The servers that every model must get along with: the sandbox, and one that nobody here wrote. */
import { type Fixture, LLMock } from "@copilotkit/aimock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Sandbox from "../../src/testing/Sandbox.ts"

/** An answer beside the usual one, for the next request alone. */
export type Odd =
  | { readonly calls: ReadonlyArray<{ readonly name: string; readonly arguments: string }> }
  | { readonly status: 429 | 500 }
  | "refusal"
  | "length"
  | "empty"
  | "garbage"
  | "cut"

export interface Running {
  /** What an SDK takes as `baseURL` (Azure: `endpoint`). */
  readonly baseURL: (provider: Sandbox.ProviderName) => string
  readonly next: (odd: Odd) => void
  readonly requests: () => number
  /** Names of subjects to whom it can't say that the model refused. */
  readonly neverRefuses: ReadonlyArray<string>
}

export interface ContractServer {
  readonly name: string
  readonly make: Effect.Effect<Running, unknown, Scope.Scope>
}

type Scripted = Extract<Odd, { readonly calls: unknown } | "refusal" | "empty">

/** What the sandbox would never say by itself, as `chat.completions` has it. */
const chat = (odd: Scripted): object => ({
  id: "chatcmpl-odd",
  object: "chat.completion",
  created: 1_700_000_000,
  model: "test-model",
  choices: [
    {
      index: 0,
      message: {
        role: "assistant",
        content: odd === "empty" ? "" : null,
        ...(odd === "refusal" && { refusal: "no" }),
        ...(typeof odd === "object" && {
          tool_calls: odd.calls.map((call, i) => ({ id: `call_${i}`, type: "function", function: call }))
        })
      },
      finish_reason: typeof odd === "object" ? "tool_calls" : "stop"
    }
  ],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
})

/** The same as the Responses API has it. */
const responses = (odd: Scripted): object => ({
  id: "resp_odd",
  object: "response",
  created_at: 1_700_000_000,
  model: "test-model",
  status: "completed",
  output:
    typeof odd === "object"
      ? odd.calls.map((call, i) => ({ id: `fc_${i}`, call_id: `call_${i}`, type: "function_call", ...call }))
      : [
          {
            id: "msg_odd",
            type: "message",
            role: "assistant",
            content: [odd === "refusal" ? { type: "refusal", refusal: "no" } : { type: "output_text", text: "" }]
          }
        ],
  usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5 }
})

const say = (said: object): Sandbox.Fault => ({ type: "status", status: 200, body: JSON.stringify(said) })

const faultsOf = (odd: Odd): ReadonlyArray<Sandbox.FaultRule> => {
  // It counts tokens: `maxTokens` cuts its answers.
  if (odd === "length") return []
  if (odd === "garbage") return [{ times: 1, fault: { type: "garbage", what: "json" } }]
  if (odd === "cut") return [{ times: 1, fault: { type: "resetMidBody", afterChunks: 7 } }]
  if (typeof odd === "object" && "status" in odd) return [{ times: 1, fault: { type: "status", status: odd.status } }]
  return [
    { times: 1, match: { path: /responses$/ }, fault: say(responses(odd)) },
    { times: 1, match: { path: /completions$/ }, fault: say(chat(odd)) }
  ]
}

const sandbox: ContractServer = {
  name: "the sandbox",
  make: Effect.map(Sandbox.make(), (running) => ({
    baseURL: running.baseURL,
    // What is left of another road's rules would meet a later request.
    next: (odd) => running.faults.replace(faultsOf(odd)),
    requests: () => running.stats().requests,
    neverRefuses: []
  }))
}

/** Both names, since both APIs read the same fixtures. */
const usage = { prompt_tokens: 3, completion_tokens: 4, input_tokens: 3, output_tokens: 4, total_tokens: 7 }

const oddFixture = (odd: Odd): Omit<Fixture, "match"> => {
  if (odd === "length") return { response: { content: "one two", finishReason: "length", usage } }
  if (odd === "refusal") return { response: { content: "", finishReason: "content_filter", usage } }
  if (odd === "empty") return { response: { content: "", usage } }
  if (odd === "garbage") return { response: { content: "x" }, chaos: { malformedRate: 1 } }
  if (odd === "cut") {
    // A pause between its events, so that the first are on the wire when the socket ends.
    return { response: { content: "a long text ".repeat(20) }, chunkSize: 5, latency: 2, truncateAfterChunks: 16 }
  }
  if ("status" in odd) return { response: { error: { message: "not now" }, status: odd.status } }
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
