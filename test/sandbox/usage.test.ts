import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"

const LIMIT = 1_000_000

/** Answers go on for as long as was asked for, so that what is asked is what is used. */
const charges = ["used", "asked"] as const
const open: Array<Sandbox.Sandbox> = []
beforeAll(async () => {
  for (const charge of charges) open.push(await Sandbox.start({ rateLimit: { tokensPerMinute: LIMIT, charge } }))
})
afterAll(() => Promise.all(open.map((sandbox) => sandbox.close())))

/** The prompt has 2 tokens, the answer as many as `max` says, and 16 at most. */
const hello = [{ role: "user", content: "hello" }]
const chat = { messages: hello, max_tokens: 5 }
const stream = { stream: true, stream_options: { include_usage: true } }

interface Case {
  readonly name: string
  readonly provider: Sandbox.ProviderName
  readonly path?: string
  readonly body: object
  /** Everything that the answer says under a name of `usage`, in order. */
  readonly usage: ReadonlyArray<unknown>
  readonly total: number
}

const openai = { prompt_tokens: 2, completion_tokens: 5, total_tokens: 7 }
const responses = {
  input_tokens: 2,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 5,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 7
}

const cases: ReadonlyArray<Case> = [
  { name: "JSON", provider: "openai", body: chat, usage: [openai], total: 7 },
  { name: "JSON", provider: "azure", body: chat, usage: [openai], total: 7 },
  { name: "JSON", provider: "groq", body: chat, usage: [openai], total: 7 },
  { name: "JSON", provider: "cerebras", body: chat, usage: [openai], total: 7 },
  {
    name: "JSON without a bound, which is -1 there",
    provider: "cerebras",
    body: { messages: hello, max_completion_tokens: -1 },
    usage: [{ prompt_tokens: 2, completion_tokens: 16, total_tokens: 18 }],
    total: 18
  },
  {
    name: "a stream that was asked for it",
    provider: "openai",
    body: { ...chat, ...stream },
    usage: [openai],
    total: 7
  },
  {
    name: "a stream that was asked for it",
    provider: "azure",
    body: { ...chat, ...stream },
    usage: [openai],
    total: 7
  },
  { name: "a stream that was not", provider: "openai", body: { ...chat, stream: true }, usage: [], total: 7 },
  {
    name: "a stream that was asked for it, in x_groq too",
    provider: "groq",
    body: { ...chat, ...stream },
    usage: [openai, openai],
    total: 7
  },
  {
    name: "a stream that was not, in x_groq",
    provider: "groq",
    body: { ...chat, stream: true },
    usage: [openai],
    total: 7
  },
  { name: "a stream", provider: "cerebras", body: { ...chat, stream: true }, usage: [openai], total: 7 },
  {
    name: "a stream that was asked for it",
    provider: "cerebras",
    body: { ...chat, ...stream },
    usage: [openai],
    total: 7
  },
  {
    name: "Responses",
    provider: "openai",
    path: "/v1/responses",
    body: { input: "hello", max_output_tokens: 5 },
    usage: [responses],
    total: 7
  },
  {
    name: "streamed Responses",
    provider: "openai",
    path: "/v1/responses",
    body: { input: "hello", max_output_tokens: 5, stream: true },
    usage: [responses],
    total: 7
  },
  {
    name: "messages",
    provider: "anthropic",
    path: "/v1/messages",
    body: chat,
    usage: [{ input_tokens: 2, output_tokens: 5 }],
    total: 7
  },
  {
    name: "streamed messages, whose start says 1 and whose end says all",
    provider: "anthropic",
    path: "/v1/messages",
    body: { ...chat, stream: true },
    usage: [{ input_tokens: 2, output_tokens: 1 }, { output_tokens: 5 }],
    total: 7
  },
  {
    name: "embeddings",
    provider: "openai",
    path: "/v1/embeddings",
    body: { input: ["hello", "world!!!!"], dimensions: 2 },
    usage: [{ prompt_tokens: 5, total_tokens: 5 }],
    total: 5
  }
]

const usages = (value: unknown): ReadonlyArray<unknown> => {
  if (typeof value !== "object" || value === null) return []
  return Object.entries(value).flatMap(([name, one]) => (name === "usage" && one !== null ? [one] : usages(one)))
}

const valuesOf = (text: string): ReadonlyArray<unknown> =>
  text.startsWith("{")
    ? [JSON.parse(text)]
    : [...text.matchAll(/^data: (\{.*)$/gm)].map(([, data]) => JSON.parse(data ?? ""))

describe("usage, reported and charged", () => {
  it.each(cases.map((one, i) => ({ ...one, i })))("of $provider: $name", async (one) => {
    for (const { origin } of open) {
      const response = await fetch(origin + (one.path ?? "/v1/chat/completions"), {
        method: "POST",
        headers: { "x-sandbox-provider": one.provider },
        // A model, and so a bucket, of its own.
        body: JSON.stringify({ model: `m-${one.i}`, ...one.body })
      })
      assert.deepEqual(valuesOf(await response.text()).flatMap(usages), one.usage)
      const remaining =
        response.headers.get("x-ratelimit-remaining-tokens") ??
        response.headers.get("x-ratelimit-remaining-tokens-minute") ??
        response.headers.get("anthropic-ratelimit-tokens-remaining")
      assert.strictEqual(remaining, `${LIMIT - one.total}`)
    }
  })
})
