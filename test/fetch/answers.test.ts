import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { endingOf, isJsonOnly, looksLikeJson } from "../../src/internal/fetch/answers.ts"

const chat = "https://api.openai.com/v1/chat/completions"
const responses = "https://api.openai.com/v1/responses"

/** Whether a stream that was cut into such pieces counts as whole. */
const isWhole = (url: string, text: string, size = Infinity): boolean => {
  const ending = endingOf(url)!
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) ending.add(bytes.subarray(at, at + size))
  return ending.hasCome()
}

const delta = (content: string, finish: string | null = null): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`

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
  ["the error of a response", responses, response("error", { message: "overloaded" })]
]

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
  ]
]

describe("an event stream", () => {
  for (const [what, url, text] of whole) test(`with ${what} is whole`, () => expect(isWhole(url, text)).toBe(true))

  for (const [what, url, text] of cut) test(`of ${what} is cut`, () => expect(isWhole(url, text)).toBe(false))

  test("is judged alike in whatever pieces it comes", () => {
    fc.assert(
      fc.property(fc.constantFrom(...whole, ...cut), fc.integer({ min: 1, max: 70 }), ([, url, text], size) => {
        expect(isWhole(url, text, size)).toBe(isWhole(url, text))
      })
    )
  })

  test("of a path whose end nobody knows is not judged", () => {
    for (const url of ["http://h/v1/messages", "http://h/v1/threads/t/runs", "http://h/v1/completions/more"]) {
      expect(endingOf(url)).toBeUndefined()
    }
  })
})

test("only what generates must be JSON", () => {
  for (const path of ["/chat/completions", "/v1/embeddings", "/responses?a=b", "/moderations"]) {
    expect(isJsonOnly("POST", `http://h${path}`)).toBe(true)
    expect(isJsonOnly("GET", `http://h${path}`)).toBe(false)
  }
  for (const path of ["/audio/speech", "/files/f/content", "/audio/transcriptions", "/batches"]) {
    expect(isJsonOnly("POST", `http://h${path}`)).toBe(false)
  }
})

test("JSON is told by how it begins", () => {
  for (const text of ["{}", " \n[1]", "\ufeff{}"]) expect(looksLikeJson(Buffer.from(text)), text).toBe(true)
  for (const text of ["", "  ", "<html>", "OK"]) expect(looksLikeJson(Buffer.from(text)), text).toBe(false)
})
