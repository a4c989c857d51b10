import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { asksForEvents, modelOf, tokensOf } from "../../src/internal/quota/tokenEstimate.ts"
import { unit } from "../support/json.ts"

const chat = "/v1/chat/completions"
const bytes = (text: string) => new TextEncoder().encode(text)
const message = (content: string) => ({ role: "user", content })
const estimate = (body: unknown, path = chat, mean = 0) => tokensOf(path, JSON.stringify(body), mean)
/** The output that a request is thought to allow where 7 is the mean. */
const outputOf = (body: object) => estimate(body, chat, 7) - Math.ceil(JSON.stringify(body).length / 4)

describe("the model of a request", () => {
  it("is the top-level field of that name, wherever it stands", () => {
    for (const body of [
      '{"model":"gpt-4o","messages":[]}',
      '{"messages":[{"role":"user","content":"hi"}],"model":"gpt-4o"}',
      ' \n{\t"stream" : false ,\r\n "model"\n:\t"gpt-4o" }',
      '{"mod\\u0065l":"gpt\\u002d4o"}'
    ]) {
      expect(modelOf(chat, body), body).toBe("gpt-4o")
      expect(modelOf(chat, bytes(body)), body).toBe("gpt-4o")
    }
  })

  it("is no other field, and no text of a prompt", () => {
    for (const body of [
      '{"messages":[{"model":"evil"}],"tools":{"model":"evil"}}',
      JSON.stringify({ messages: [message('","model":"evil"'), message('\\","model":"evil')] }),
      JSON.stringify({ 'a","model":"evil': 1, model2: "evil", Model: "evil" }),
      '{"model":null}',
      '{"model":4}',
      '{"model":["evil"]}',
      '[{"model":"evil"}]',
      '"model"',
      ""
    ]) {
      expect(modelOf(chat, body), body).toBe("")
      expect(modelOf(chat, `${body.slice(0, -1)},"model":"good"}`), body).toBe(
        body.endsWith("}") && !body.startsWith('{"model"') ? "good" : ""
      )
    }
  })

  it("is what JSON.parse finds, for any body as text or bytes", () => {
    const bodies = fc
      .tuple(fc.dictionary(fc.string({ unit }), fc.jsonValue()), fc.string({ unit, maxLength: 30 }), fc.nat())
      .map(([rest, model, at]) => {
        const all = Object.entries(rest).filter(([key]) => key !== "model")
        all.splice(at % (all.length + 1), 0, ["model", model])
        return { text: JSON.stringify(Object.fromEntries(all)), model }
      })
    fc.assert(
      fc.property(bodies, ({ model, text }) => {
        expect(modelOf(chat, text)).toBe(model)
        expect(modelOf(chat, bytes(text))).toBe(model)
      })
    )
  })

  it("is Azure's deployment, before anything in the body", () => {
    const body = '{"model":"gpt-4o"}'
    expect(modelOf("/openai/deployments/my-4o/chat/completions?api-version=1", body)).toBe("my-4o")
    expect(modelOf("/openai/deployments/a%20b%2Fc/embeddings", body)).toBe("a b/c")
    expect(modelOf("/gateway/openai/deployments/d?x=/y", undefined)).toBe("d")
    expect(modelOf("/openai/deployments/100%/chat", body), "no valid escape").toBe("100%")
    expect(modelOf("/openai/v1/chat/completions", body)).toBe("gpt-4o")
    expect(modelOf("/openai/deployments/?x=1", body)).toBe("gpt-4o")
  })

  it("is empty without a JSON body, however odd that is", () => {
    const stream = { length: 1, open: async function* () {} }
    for (const body of [
      undefined,
      stream,
      "--boundary",
      bytes("--boundary"),
      new Uint8Array(0),
      bytes("  "),
      "{",
      "{}"
    ]) {
      expect(modelOf(chat, body)).toBe("")
    }
    fc.assert(fc.property(fc.uint8Array(), fc.string(), (raw, path) => typeof modelOf(path, raw) === "string"))
    fc.assert(fc.property(fc.string(), fc.string(), (raw, path) => typeof modelOf(path, `{${raw}`) === "string"))
  })

  it("has at most 200 characters", () => {
    const long = "m".repeat(1_000)
    expect(modelOf(chat, JSON.stringify({ model: long }))).toBe("m".repeat(200))
    expect(modelOf(`/openai/deployments/${long}/chat`, undefined)).toBe("m".repeat(200))
    expect(modelOf(chat, JSON.stringify({ model: "m".repeat(100_000) }))).toBe("")
  })
})

describe("the estimated tokens of a request", () => {
  it("are a quarter of its characters, and the output it allows", () => {
    const body = { model: "m", messages: [message("x".repeat(4_000))] }
    const prompt = Math.ceil(JSON.stringify(body).length / 4)
    expect(estimate(body)).toBe(prompt)
    expect(estimate(body, chat, 250)).toBe(prompt + 250)
    for (const field of ["max_tokens", "max_completion_tokens", "max_output_tokens"]) {
      const limited = { ...body, [field]: 100 }
      expect(estimate(limited, chat, 250), field).toBe(Math.ceil(JSON.stringify(limited).length / 4 + 100))
      expect(tokensOf(chat, bytes(JSON.stringify(limited)), 250), field).toBe(estimate(limited, chat, 250))
    }
  })

  it("allow for each of the choices, and take the newest name for their bound", () => {
    expect(outputOf({ max_tokens: 100, n: 3 })).toBe(300)
    expect(outputOf({ max_tokens: 5_000, max_completion_tokens: 100 })).toBe(100)
    expect(outputOf({ max_output_tokens: 5_000, max_tokens: 100 })).toBe(100)
    expect(outputOf({ n: 3 }), "the mean is that of requests, not of choices").toBe(7)
  })

  it("ignore a missing or senseless bound", () => {
    for (const bound of [-1, 0, null, "100", { a: 1 }]) expect(outputOf({ max_tokens: bound }), String(bound)).toBe(7)
    expect(outputOf({ max_tokens: null, max_output_tokens: 9 })).toBe(9)
    expect(outputOf({ max_tokens: 1e300 })).toBe(1_000_000)
    expect(tokensOf(chat, '{"max_tokens":1e999,"n":1e999}', 7)).toBe(128_000_008)
    expect(outputOf({ max_tokens: 10, n: -4 })).toBe(10)
    expect(outputOf({ messages: [{ max_tokens: 100, n: 50 }], text: '","max_tokens":100' }), "no other field").toBe(7)
  })

  it("are the prompt alone for embeddings and moderations", () => {
    for (const path of ["/v1/embeddings", "/openai/deployments/d/embeddings?api-version=1", "/v1/moderations"]) {
      expect(estimate({ input: "x".repeat(388) }, path, 1_000), path).toBe(100)
    }
    expect(estimate({ input: "x".repeat(388) }, "/v1/responses?a=/embeddings", 1_000)).toBe(1_100)
  })

  it("count an image by the cost of images, not by the length of its bytes", () => {
    const data = `iVBORw0KGgo${"A".repeat(1_000_000)}`
    for (const part of [
      { type: "image_url", image_url: { url: `data:image/png;base64,${data}` } },
      { type: "input_image", image_url: `data:image/svg+xml;charset=utf-8;base64,${data}` },
      { type: "image", source: { type: "base64", media_type: "image/png", data } },
      { type: "image", source: { type: "base64", media_type: "image/jpeg", data: `/9j/${data}` } },
      { type: "file", file: { file_data: `data:application/pdf;base64,${data}` } }
    ]) {
      const one = estimate({ messages: [{ role: "user", content: [part] }] })
      expect(one, part.type).toBeGreaterThanOrEqual(765)
      expect(one, part.type).toBeLessThan(850)
      const two = estimate({ messages: [{ role: "user", content: [part, part] }] })
      expect(two - one, part.type).toBeGreaterThanOrEqual(765)
    }
    const about = estimate({ messages: [message(`What is data:image/png;base64,${"A".repeat(40_000)}?`)] })
    expect(about, "a text about one is a text").toBeGreaterThan(10_000)
  })

  it("are one for an unreadable body", () => {
    const stream = { length: 1_000_000, open: async function* () {} }
    for (const body of [undefined, stream, "--boundary", bytes("--boundary"), new Uint8Array(0), "{}"]) {
      expect(tokensOf(chat, body, 500)).toBe(1)
    }
  })

  it("are a whole number of at least one for any body", () => {
    const mean = fc.double({ min: 0, max: 1e6, noNaN: true })
    const field = fc.constantFrom("max_tokens", "max_completion_tokens", "max_output_tokens", "n")
    fc.assert(
      fc.property(fc.dictionary(fc.oneof(field, fc.string()), fc.jsonValue()), mean, (body, m) => {
        const tokens = estimate(body, chat, m)
        expect(Number.isSafeInteger(tokens) && tokens >= 1).toBe(true)
      })
    )
    fc.assert(fc.property(fc.string(), mean, (text, m) => tokensOf(chat, `{"${text}`, m) >= 1))
  })
})

describe("a stream of events", () => {
  it.each([
    ['{"model":"m","stream":true}', true],
    ['{ "stream" : true, "model": "m" }', true],
    ['{"stream":false}', false],
    ['{"stream":false,"stream":true}', true],
    ['{"stream":true,"stream":false}', false],
    ['{"messages":[{"content":"\\"stream\\":true","stream":true}]}', false],
    ['{"stream_options":{"include_usage":true}}', false],
    ["", undefined]
  ])("is requested by the field of the body alone: %s", (body, asked) => {
    expect(asksForEvents("/v1/responses?stream=true", body)).toBe(asked)
    expect(asksForEvents("/v1/responses", bytes(body))).toBe(asked)
  })

  it.each([
    ["/v1/responses/resp_1?stream=true", true],
    ["/v1/responses/resp_1?starting_after=3&stream=true&a=b", true],
    ["/v1/responses/resp_1?stream=false", false],
    ["/v1/responses/resp_1?upstream=true", false],
    ["/v1/responses/resp_1", false]
  ])("is resumed by the query of a request without a body: %s", (path, asked) => {
    expect(asksForEvents(path, undefined)).toBe(asked)
  })

  it("may be requested by a body that is not JSON, or that is consumed when it is sent", () => {
    expect(asksForEvents("/v1/audio/transcriptions", bytes("--boundary"))).toBe(undefined)
    expect(asksForEvents("/v1/chat/completions", { length: undefined, open: () => (async function* () {})() })).toBe(
      undefined
    )
  })
})
