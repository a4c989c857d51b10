// oxlint-disable unicorn/consistent-function-scoping -- a test reads best with what it asks inside it
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { beginsWithError, failureIn, isJsonOnly, looksLikeJson } from "../../src/internal/http/answers.ts"
import { EventScanner } from "../../src/internal/http/sse/scanner.ts"
import { endingOf } from "../../src/internal/http/sse/termination.ts"

const chat = "https://api.openai.com/v1/chat/completions"
const responses = "https://api.openai.com/v1/responses"
const messages = "https://api.anthropic.com/v1/messages?beta=true"

/** True if a stream that was cut into such pieces counts as complete. */
const isWhole = (url: string, text: string, size = Infinity): boolean => {
  const ending = endingOf(url)!
  const bytes = Buffer.from(text)
  const scanner = new EventScanner()
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = bytes.subarray(at, at + size)
    ending.add(chunk, scanner.scan(chunk))
  }
  return ending.hasCome()
}

const transcription = "https://api.openai.com/v1/audio/transcriptions"
const images = "https://api.openai.com/v1/images/generations"

const delta = (content: string, finish: string | null = null, index = 0): string =>
  `data: ${JSON.stringify({ choices: [{ index, delta: { content }, finish_reason: finish }] })}\n\n`

const response = (type: string, more: object = {}): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`

const whole: ReadonlyArray<readonly [what: string, url: string, text: string]> = [
  ["[DONE] after a finish reason", chat, `${delta("a")}${delta("", "stop")}data: [DONE]\n\n`],
  ["a finish reason without [DONE]", chat, `${delta("a")}${delta("", "length")}`],
  ["[DONE] without a finish reason", chat, `${delta("a")}data: [DONE]\n\n`],
  ["[DONE] as all there is", chat, "data:[DONE]"],
  ["lines that end with CR", chat, `${delta("a").replaceAll("\n", "\r")}data: [DONE]\r\r`],
  ["what comes after a finish reason", chat, `${delta("", "stop")}data: {"choices":[],"usage":{"total_tokens":9}}\n\n`],
  ["an error that it tells", chat, `${delta("a")}data: {"error":{"message":"overloaded"}}\n\n`],
  ["a completion of the old kind", "http://h/openai/deployments/d/completions?api-version=1", delta("", "stop")],
  ["response.completed", responses, response("response.created") + response("response.completed", { response: {} })],
  [
    "response.completed, however much it repeats",
    responses,
    response("response.completed", { response: { output: "x".repeat(50_000) } })
  ],
  ["response.incomplete", responses, response("response.incomplete")],
  ["response.failed of one that is resumed", `${responses}/resp_1?stream=true`, response("response.failed")],
  ["the error of a response", responses, response("error", { message: "overloaded" })],
  ["lines that end with CR and LF", responses, response("response.completed").replaceAll("\n", "\r\n")],
  ["a finish reason for each of its choices", chat, delta("", "stop", 1) + delta("", "stop", 0)],
  ["choices of which one had begun later", chat, `${delta("", "stop", 1)}${delta("a")}data: [DONE]\n\n`],
  ["message_stop", messages, response("message_start") + response("message_stop")],
  ["a transcript that is done", transcription, response("transcript.text.delta") + response("transcript.text.done")],
  ["a picture, however large", images, response("image_generation.completed", { b64_json: "A".repeat(50_000) })],
  ["pictures of which one can't be made", images, response("image_generation.partial_image") + response("error")],
  ["a transcript in another server's own words", transcription, delta("a")],
  ["the error of a message", messages, response("error", { error: { message: "overloaded" } })]
]

/** An event without its empty line is never emitted. */
const unended = (event: string): string => event.slice(0, -1)

const cut: ReadonlyArray<readonly [what: string, url: string, text: string]> = [
  ["nothing at all", chat, ""],
  ["events without an end", chat, `${delta("a")}${delta("b")}`],
  ["half an event", chat, `${delta("a")}data: {"choices":[{"finish_reason":nul`],
  ["text that talks of an end", chat, delta(`"finish_reason":"stop"\n\ndata: [DONE]\n\nevent: error`)],
  ["a response that only began", responses, response("response.created") + response("response.in_progress")],
  [
    "text that talks of a response's end",
    responses,
    response("response.output_text.delta", { delta: response("response.completed") })
  ],
  ["a finish reason in half an event", chat, delta("a") + delta("b", "stop").slice(0, -9)],
  ["a finish reason in an event that is not ended", chat, delta("a") + unended(delta("b", "stop"))],
  ["half an error", chat, `${delta("a")}data: {"error":{"message":"over`],
  ["half an event that is an error", chat, `${delta("a")}event: error\ndata: {"error":{"message":"over`],
  ["two choices, of which one goes on", chat, delta("", "stop", 0) + delta("more", null, 1)],
  ["half a response.completed", responses, response("response.completed", { response: { output: "x" } }).slice(0, -9)],
  ["a response.completed that is not ended", responses, unended(response("response.completed"))],
  ["a message without message_stop", messages, response("message_start") + response("message_delta")],
  ["a transcript that is not done", transcription, response("transcript.text.delta")],
  [
    "half a picture",
    images,
    response("image_generation.partial_image") + response("image_generation.completed").slice(0, -3)
  ],
  ["half a message_stop", messages, response("message_start") + unended(response("message_stop"))]
]

/** The failure of a stream that ends with this text. */
const failureOf = (text: string, clean = (event: Uint8Array) => event, url = chat) => {
  const ending = endingOf(url)!
  const chunk = Buffer.from(text)
  ending.add(chunk, new EventScanner().scan(chunk))
  return ending.failure(clean)
}

describe("an event stream", () => {
  test("that ends in an error fails with its message, for readers that skip it", () => {
    const overloaded = { reason: "Server", processed: "yes", message: "überlastet" }
    const data = '{"error":{"message":"überlastet"}}'
    expect(failureOf(`${delta("a")}event: error\ndata: {"message":"überlastet"}\n\n`)).toMatchObject(overloaded)
    expect(failureOf(`${delta("a")}data: ${data}\n\n`)).toMatchObject(overloaded)
    expect(failureOf(`data: ${data}\r\n\r\ndata: [DONE]\r\n\r\n`)).toMatchObject(overloaded)
    const lines = '{"error":\ndata: {"message":"überlastet"}}'
    expect(failureOf(`${delta("a")}data: ${lines}\n\n: ping\n\n`)).toMatchObject(overloaded)
    expect(failureOf("event: error\nid: 1\ndata: no\u2028more\n\n")).toMatchObject({ reason: "Server" })
    expect(failureOf("event: error\ndata: no\u2028more\n\n")).toMatchObject({
      reason: "Server",
      message: "no\\u2028more"
    })
    const quota = 'data: {"error":{"message":"no more","code":"insufficient_quota"}}\n\n'
    for (const url of [chat, responses, messages]) {
      expect(failureOf(quota, undefined, url), url).toMatchObject({ reason: "QuotaExceeded", message: "no more" })
    }
    const event = `data: {"type":"error","message":"überlastet"}\n\n`
    for (const url of [responses, messages, images]) {
      expect(failureOf(response("image_edit.partial_image") + event, undefined, url), url).toMatchObject(overloaded)
    }
  })

  test("that ends in an error holds no secret, though the event with it does not end", () => {
    const clean = (event: Uint8Array) => Buffer.from(Buffer.from(event).toString().replace("sk-1", "***"))
    expect(failureOf("event: error\ndata: no sk-1", clean)).toMatchObject({ reason: "Server", message: "no ***" })
  })

  test("that ends in no error fails only if it is cut", () => {
    const cut = { reason: "Connection", processed: "maybe" }
    expect(failureOf(delta("a"))).toMatchObject(cut)
    expect(failureOf(delta("\n\nevent: error\ndata: none"))).toMatchObject(cut)
    expect(failureOf(`data: {"error":null,"choices":[{"finish_reason":"stop"}]}\n\n`)).toBe(undefined)
    expect(failureOf(`${delta('"error"', "stop")}data: [DONE]\n\n`)).toBe(undefined)
  })

  for (const [what, url, text] of whole) test(`with ${what} is whole`, () => expect(isWhole(url, text)).toBe(true))

  for (const [what, url, text] of cut) test(`of ${what} is cut`, () => expect(isWhole(url, text)).toBe(false))

  test("is judged alike in whatever pieces it comes", () => {
    fc.assert(
      fc.property(fc.constantFrom(...whole, ...cut), fc.integer({ min: 1, max: 70 }), ([, url, text], size) => {
        expect(isWhole(url, text, size)).toBe(isWhole(url, text))
      })
    )
  })

  test("of a path with an unknown end is not judged", () => {
    for (const url of [
      "http://h/v1/threads/t/messages",
      "http://h/v1/threads/t/runs",
      "http://h/v1/completions/more"
    ]) {
      expect(endingOf(url)).toBeUndefined()
    }
  })
})

describe("a response that must be JSON", () => {
  const at = (method: string, path: string, accept = "*/*") =>
    isJsonOnly({ method, url: `http://h${path}`, headers: { accept } })

  test("is that of a generation, and one retrieved again", () => {
    for (const path of ["/chat/completions", "/v1/embeddings", "/responses?a=b", "/moderations", "/v1/messages"]) {
      expect(at("POST", path), path).toBe(true)
      expect(at("GET", path), path).toBe(false)
    }
    expect(at("GET", "/v1/responses/resp_1?stream=true")).toBe(true)
  })

  test("is that of a call that makes, reads or lists", () => {
    for (const path of ["/v1/models", "/models/m?a=b", "/files/f", "/batches?limit=1", "/v1/images/generations"]) {
      for (const method of ["GET", "POST"]) {
        expect(at(method, path, "application/json"), path).toBe(true)
        expect(at(method, path), path).toBe(false)
      }
      expect(at("DELETE", path, "application/json"), path).toBe(false)
    }
  })

  test("is no other", () => {
    for (const path of [
      "/audio/speech",
      "/files/f/content",
      "/audio/transcriptions",
      "/v1/messages/batches/b/results"
    ]) {
      for (const method of ["GET", "POST"]) expect(at(method, path, "application/json"), path).toBe(false)
    }
  })
})

describe("JSON in the place of an answer", () => {
  const told = (text: string, clean = (event: Uint8Array) => event) => failureIn(Buffer.from(text), clean)

  test("is a failure if it has an error", () => {
    const nested = told('\ufeff {"error" : {"message":"over\\nloaded","code":503}}')
    expect(nested).toMatchObject({ reason: "Server", processed: "yes", message: "over\\nloaded" })
    expect(told('{"id":"x","error":"overloaded"}')).toMatchObject({
      reason: "Server",
      message: '{"id":"x","error":"overloaded"}'
    })
    expect(told('{"error":{"message":"no more","code":"insufficient_quota"}}')).toMatchObject({
      reason: "QuotaExceeded"
    })
    for (const text of ['{"error":null,"id":"x"}', '{"id":"x"}', '{"error":{"message"', "[]", "null", ""]) {
      expect(told(text), text).toBe(undefined)
    }
  })

  test("is suspected of it by its beginning", () => {
    for (const text of ['{"error":1}', '\ufeff \n{ \t"error"'])
      expect(beginsWithError(Buffer.from(text)), text).toBe(true)
    for (const text of ['{"id":"x","error":1}', '{"errors":1}', '"error"', "{", ""]) {
      expect(beginsWithError(Buffer.from(text)), text).toBe(false)
    }
  })

  test("holds no secret", () => {
    const clean = (event: Uint8Array) => Buffer.from(Buffer.from(event).toString().replace("sk-1", "***"))
    expect(told('{"error":{"message":"no such key: sk-1"}}', clean)?.message).toBe("no such key: ***")
  })
})

test("JSON is detected by its beginning", () => {
  for (const text of ["{}", " \n[1]", "\ufeff{}"]) expect(looksLikeJson(Buffer.from(text)), text).toBe(true)
  for (const text of ["", "  ", "<html>", "OK"]) expect(looksLikeJson(Buffer.from(text)), text).toBe(false)
})
