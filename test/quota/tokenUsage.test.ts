import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { exchange, prepare } from "../../src/internal/http/request.ts"
import { makeMeter, ofTail, ofWhole } from "../../src/internal/quota/tokenUsage.ts"
import { makePool } from "../../src/internal/transport/pool.ts"
import { SocketBudget } from "../../src/internal/transport/sockets.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { unit } from "../support/json.ts"

/** `[total, output]` of a body that comes in pieces of `size` bytes, or at once. */
const metered = (body: string | Uint8Array, size = Infinity): readonly [number | undefined, number | undefined] => {
  const bytes = typeof body === "string" ? Buffer.from(body) : body
  const meter = makeMeter()
  for (let at = 0; at < bytes.length; at += size) {
    // A buffer that is used for the next chunk too, as sockets' are.
    const chunk = Uint8Array.from(bytes.subarray(at, at + size))
    meter.chunk(chunk, 0)
    chunk.fill(0x7d)
  }
  // A complete body is read without a meter, with the same result.
  if (size === Infinity && bytes[0] === 0x7b) expect(ofWhole(bytes)).toEqual(meter.count())
  return [meter.total(), meter.output()]
}

const nothing = [undefined, undefined]
const event = (data: unknown, name?: string): string =>
  `${name === undefined ? "" : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`
const done = "data: [DONE]\n\n"

const usage = { prompt_tokens: 9, completion_tokens: 12, total_tokens: 21, prompt_tokens_details: { cached_tokens: 0 } }
const fake = { usage: { total_tokens: 999_999, completion_tokens: 999_999 } }
const fakes = JSON.stringify(fake)
const completion = (content: string, rest: object = { usage, service_tier: "default" }) =>
  JSON.stringify({ id: "chatcmpl-1", choices: [{ index: 0, message: { role: "assistant", content } }], ...rest })
const delta = (content: string, rest: object = {}) => event({ choices: [{ index: 0, delta: { content } }], ...rest })

describe("the usage of an answer as JSON", () => {
  it("is its total, for each provider's shape", () => {
    expect(metered(completion("hi"))).toEqual([21, 12])
    expect(metered(completion("hi", { usage, x_groq: { id: "r" }, usage_breakdown: null }))).toEqual([21, 12])
    expect(metered(JSON.stringify(JSON.parse(completion("hi")), null, 2) + "\n")).toEqual([21, 12])
    expect(
      metered(
        JSON.stringify({
          object: "response",
          status: "completed",
          output: [{ type: "message", content: [{ type: "output_text", text: fakes }] }],
          usage: { input_tokens: 5, input_tokens_details: { cached_tokens: 0 }, output_tokens: 7, total_tokens: 12 },
          user: null,
          metadata: { usage: "no" }
        })
      )
    ).toEqual([12, 7])
    expect(
      metered(JSON.stringify({ data: [{ embedding: [0.1, 0.2] }], usage: { prompt_tokens: 8, total_tokens: 8 } }))
    ).toEqual([8, undefined])
  })

  it("leaves out Anthropic's cache reads, and counts its cache writes", () => {
    const message = {
      type: "message",
      content: [{ type: "tool_use", name: "f", input: fake }],
      usage: {
        input_tokens: 10,
        cache_creation_input_tokens: 200,
        cache_read_input_tokens: 3_000,
        cache_creation: { ephemeral_5m_input_tokens: 200 },
        output_tokens: 40
      }
    }
    expect(metered(JSON.stringify(message))).toEqual([250, 40])
  })

  it("is found at the end of a body of any length", () => {
    for (const length of [1_900, 2_100, 4_000, 6_200, 8_200, 200_000]) {
      for (const size of [Infinity, 16_384, 4_096, 1_000, 77]) {
        expect(metered(completion("ü".repeat(length / 2)), size), `${length} by ${size}`).toEqual([21, 12])
      }
    }
  })

  it("is none where there is none", () => {
    for (const body of [
      "",
      "{}",
      " ",
      "[1]",
      "null",
      '{"usage":null}',
      '{"usage":{}}',
      '{"usage":"total_tokens"}',
      '{"usage":{"total_tokens":-1}}',
      '{"usage":{"total_tokens":1.5}}',
      '{"usage":{"total_tokens":"21"}}',
      '{"usage":{"total_tokens":1e300}}',
      '{"usage":{"input_tokens":5}}',
      '{"usage":{"output_tokens":5}}',
      '{"usage":{"total_tokens":21',
      '{"usage":{"total_tokens":21}',
      '{"usage":{"total_tokens":21},"choices":[{"content":"and }',
      '{"error":{"message":"no","usage":{"total_tokens":21}}}',
      '{"choices":[{"usage":{"total_tokens":21}}]}',
      "plain text",
      Uint8Array.from([0xff, 0xfe, 0, 1])
    ]) {
      expect(metered(body), String(body)).toEqual(nothing)
    }
  })

  it("is no text, however that is written", () => {
    for (const text of [
      fakes,
      `",${fakes.slice(1, -1)},"x":"`,
      `"}],${fakes.slice(1)}`,
      `\\",${fakes.slice(1, -1)},\\"`,
      "usage",
      '"usage":',
      `{"type":"usage"}${fakes}`
    ]) {
      expect(metered(completion(text)), text).toEqual([21, 12])
      expect(metered(completion(text, { usage, system_fingerprint: text })), text).toEqual([21, 12])
      expect(metered(completion(text, {})), text).toEqual(nothing)
      expect(metered(completion(text, { note: text })), text).toEqual(nothing)
    }
  })
})

const startEvent = (input: object) =>
  event(
    { type: "message_start", message: { id: "msg_1", content: [], usage: { ...input, output_tokens: 1 } } },
    "message_start"
  )
const textEvent = (content: string) =>
  event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: content } }, "content_block_delta")
const endEvents = (counts: object) =>
  event({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage: counts }, "message_delta") +
  event({ type: "message_stop" }, "message_stop")

const responseEvents = (text: string) =>
  event({ type: "response.created", response: { output: [], usage: null } }, "response.created") +
  event({ type: "response.output_text.delta", delta: text }, "response.output_text.delta") +
  event(
    {
      type: "response.completed",
      response: {
        output: [{ content: [{ text }] }],
        tools: [{ parameters: { properties: fake } }],
        usage: { input_tokens: 3, output_tokens: 4, total_tokens: 7 },
        metadata: {}
      }
    },
    "response.completed"
  )

describe("the usage of a stream of events", () => {
  it("is that of the last event that has it", () => {
    const stream = delta("a", { usage: null }) + delta("b", { usage: null })
    const last = event({ choices: [], usage })
    expect(metered(stream + last + done)).toEqual([21, 12])
    expect(metered((stream + last + done).replaceAll("\n", "\r\n"))).toEqual([21, 12])
    expect(metered(`: ping\n\n${stream}${last}`.trimEnd())).toEqual([21, 12])
    expect(metered(stream + done)).toEqual(nothing)
    const running = { usage: { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 } }
    expect(metered(delta("a", running) + delta("b", running) + last), "each event says how far it is").toEqual([21, 12])
    expect(metered((stream + last).replaceAll("data: ", "data:"))).toEqual([21, 12])
  })

  it("is found where Groq and Cerebras have it", () => {
    expect(metered(delta("a") + delta("", { x_groq: { id: "r", usage } }) + done)).toEqual([21, 12])
    expect(metered(delta("", { x_groq: { id: "r", usage }, usage: null })), "and not where it says null").toEqual([
      21, 12
    ])
    expect(metered(delta("a") + delta("", { usage, time_info: { total_time: 1 } }))).toEqual([21, 12])
  })

  it("is read from the end alone as well, where there is a total", () => {
    const said = { total: 21, input: 9, output: 12 }
    const last = delta("", { usage }) + done
    expect(ofTail(delta("hi") + last)).toEqual(said)
    expect(ofTail(delta("hi").slice(20) + last)).toEqual(said)
    expect(ofTail(`${delta(fakes).slice(40)}${done}`)).toBeUndefined()
    expect(ofTail(delta("hi") + event({ choices: [], x_groq: { id: "r", usage } }) + done)).toEqual(said)
    expect(ofTail("")).toBeUndefined()
  })

  it("is found in the last event of a response, however long that is", () => {
    for (const length of [1, 3_000, 50_000])
      expect(metered(responseEvents("x".repeat(length)), 1_000), `${length}`).toEqual([7, 4])
    expect(metered(responseEvents(`"}${fakes}`.repeat(500)), 999)).toEqual([7, 4])
  })

  it("is put together from Anthropic's first and last events", () => {
    const input = { input_tokens: 25, cache_creation_input_tokens: 10, cache_read_input_tokens: 4_000 }
    for (const events of [1, 20, 500]) {
      const between = textEvent("ü, and so on").repeat(events)
      expect(metered(startEvent(input) + between + endEvents({ output_tokens: 15 }), 333), `${events}`).toEqual([
        50, 15
      ])
      const all = { input_tokens: 30, cache_creation_input_tokens: 0, output_tokens: 15 }
      expect(metered(startEvent(input) + between + endEvents(all), 333), `${events}`).toEqual([45, 15])
      expect(metered(startEvent(input) + between), "cut before the end").toEqual(nothing)
      expect(metered(between + endEvents({ output_tokens: 15 })), "the prompt is not told").toEqual(nothing)
    }
  })

  it("is no text, however that is written", () => {
    for (const said of [fakes, `\n\ndata: ${fakes}\n\n`, '"message_start"', "message_start", `"}}\n\ndata: ${fakes}`]) {
      const many = delta(said).repeat(100)
      for (const size of [Infinity, 50]) {
        expect(metered(many + event({ choices: [], usage }) + done, size), said).toEqual([21, 12])
        expect(metered(many + done, size), said).toEqual(nothing)
        const blocks = textEvent(said).repeat(50)
        expect(metered(startEvent({ input_tokens: 1 }) + blocks + endEvents({ output_tokens: 2 }), size), said).toEqual(
          [3, 2]
        )
      }
    }
    expect(metered(event({ list: ["usage", fake.usage] })), "a value is no key").toEqual(nothing)
    expect(metered(`a transcript\ndata: ${fakes}\n\n`), "no events at all").toEqual(nothing)
  })
})

describe("a meter", () => {
  it("reads the same however the body is cut, also within a character or a number", () => {
    const texts = fc.array(fc.oneof(fc.string({ unit }), fc.constantFrom(fakes, `",${fakes}`, "\\", '\\"')))
    const counts = fc.record({ completion_tokens: fc.nat(), total_tokens: fc.nat() })
    fc.assert(
      fc.property(texts, counts, fc.array(fc.nat({ max: 3_000 }), { minLength: 1 }), (said, count, sizes) => {
        for (const body of [
          completion(said.join(""), { usage: count }),
          said.map((one) => delta(one)).join("") + event({ choices: [], usage: count }) + done
        ]) {
          const bytes = Buffer.from(body)
          const meter = makeMeter()
          for (let at = 0, turn = 0; at < bytes.length; turn++) {
            const size = 1 + sizes[turn % sizes.length]!
            meter.chunk(bytes.subarray(at, at + size), 0)
            at += size
          }
          expect([meter.total(), meter.output()]).toEqual([count.total_tokens, count.completion_tokens])
        }
      })
    )
  })

  it("never throws, whatever the body", () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('{"', '"usage"', ":", "{", "}", "[", "]", "\\", '"', "data: ", "\n", '"total_tokens":1')
    )
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const [total] = metered(`{${pieces.join("")}`, 5)
        metered(`data: ${pieces.join("")}`, 5)
        return total === undefined || total >= 0
      })
    )
  })

  it("can be read before the end, and goes on", () => {
    const meter = makeMeter()
    const bytes = Buffer.from(completion("hi"))
    meter.chunk(bytes.subarray(0, 20), 0)
    expect(meter.total()).toBe(undefined)
    meter.chunk(bytes.subarray(20), 0)
    expect(meter.total()).toBe(21)
  })

  it("reads what a server sends, as it passes by", async () => {
    await using sandbox = await Sandbox.start()
    const pool = makePool({ origin: sandbox.origin, maxConnections: 1, budget: new SocketBudget(1) })
    const timeouts = { headers: Infinity, body: Infinity }
    const ask = async (provider: Sandbox.ProviderName, path: string, body: object) => {
      const meter = makeMeter()
      const request = await prepare(sandbox.origin + path, {
        method: "POST",
        headers: { "content-type": "application/json", "x-sandbox-provider": provider, authorization: "Bearer k" },
        body: JSON.stringify({ model: "m", ...body })
      })
      let total: number | undefined
      const onTapped = () => {
        total = meter.total()
      }
      const response = await exchange(pool, request, { timeouts, signal: undefined, tap: meter.chunk, onTapped })
      expect([response.status, await response.text()], path).toEqual([200, expect.any(String)])
      return [total, meter.output()]
    }
    // A prompt of three tokens, of which the sandbox makes an answer of four.
    const messages = [{ role: "user", content: "hello world" }]
    const most = { max_tokens: 4 }
    const stream = { stream: true, stream_options: { include_usage: true } }
    try {
      for (const provider of ["openai", "groq", "cerebras"] as const) {
        expect(await ask(provider, "/v1/chat/completions", { messages, ...most }), provider).toEqual([7, 4])
        expect(await ask(provider, "/v1/chat/completions", { messages, ...most, ...stream }), provider).toEqual([7, 4])
      }
      const azure = "/openai/deployments/d/chat/completions?api-version=2024-10-21"
      expect(await ask("azure", azure, { messages, ...most, ...stream })).toEqual([7, 4])
      expect(await ask("anthropic", "/v1/messages", { messages, ...most })).toEqual([7, 4])
      expect(await ask("anthropic", "/v1/messages", { messages, ...most, stream: true })).toEqual([7, 4])
      const input = { input: "hello world", max_output_tokens: 4 }
      expect(await ask("openai", "/v1/responses", input)).toEqual([7, 4])
      expect(await ask("openai", "/v1/responses", { ...input, stream: true })).toEqual([7, 4])
      expect(await ask("openai", "/v1/embeddings", { input: "hello world" })).toEqual([3, undefined])
      const silent = await ask("openai", "/v1/chat/completions", { messages, ...most, stream: true })
      expect(silent, "nobody asked for it").toEqual([undefined, undefined])
    } finally {
      await pool.close(0)
    }
  })
})
