/** When the span of a stream ends that its reader leaves, and what it takes from the stream's end. */
import { afterEach, assert, describe, it, vi } from "vitest"
import * as Answer from "../../src/internal/telemetry/answer.ts"
import { Call } from "../../src/internal/telemetry/calls.ts"
import type { RequestSpan } from "../../src/internal/telemetry/requestSpan.ts"

vi.mock("../../src/internal/util/timers.ts", () => import("../support/globalTimers.ts"))

afterEach(() => {
  vi.useRealTimers()
})

const none: RequestSpan = {
  isRecording: true,
  set: () => undefined,
  event: () => undefined,
  within: (f) => f(),
  mark: () => undefined,
  end: () => undefined
}

const open = () => {
  const told: Array<string> = []
  const span: RequestSpan = {
    ...none,
    mark: () => told.push("mark"),
    end: (error) => told.push(`end ${error}`)
  }
  const call = new Call(undefined, span, () => 0)
  call.opened()
  return { call, told }
}

describe("the span of a stream", () => {
  it("ends with its last byte where that has been read", () => {
    const { call, told } = open()
    call.over()
    call.ended()
    assert.deepStrictEqual(told, ["end undefined"])
  })

  it("waits for its reader once all has come, and ends as of then", () => {
    const { call, told } = open()
    call.ended()
    assert.deepStrictEqual(told, ["mark"])
    call.over()
    assert.deepStrictEqual(told, ["mark", "end undefined"])
  })

  it("waits a minute for a reader who has forgotten it, and ends once", () => {
    vi.useFakeTimers()
    const { call, told } = open()
    call.cut("Aborted")
    call.ended()
    vi.advanceTimersByTime(59_999)
    assert.deepStrictEqual(told, ["mark"])
    vi.advanceTimersByTime(1)
    assert.deepStrictEqual(told, ["mark", "end Aborted"])
    call.over()
    assert.deepStrictEqual(told, ["mark", "end Aborted"])
  })
})

/** Attributes that a stream's end gives a span. */
const told = (...events: ReadonlyArray<object>) => {
  const values: Record<string, unknown> = {}
  const span: RequestSpan = { ...none, set: (name, value) => (values[name] = value) }
  const lines = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")
  Answer.ofTail(span, `ut off"}\n\n${lines}data: [DONE]\n\n`)
  return values
}

const choice = (index: number, finish_reason: string | null) => ({ index, delta: {}, finish_reason })
const chunk = (...choices: ReadonlyArray<object>) => ({ id: "chatcmpl-1", model: "gpt", choices })

const response = (status: string, more: object = {}) => ({
  response: { id: "resp_1", object: "response", model: "gpt", status, ...more }
})

describe("a span", () => {
  for (const isRecording of [true, false]) {
    it(`that is ${isRecording ? "" : "not "}recorded has ${isRecording ? "its" : "no"} answer parsed for it`, () => {
      const values: Record<string, unknown> = {}
      const span: RequestSpan = { ...none, isRecording, set: (name, value) => (values[name] = value) }
      const instruments = { duration: () => undefined, firstChunk: () => undefined, tokens: () => undefined }
      const call = new Call(instruments, span, () => 0)
      call.whole(Buffer.from(JSON.stringify({ id: "chatcmpl-1", choices: [] })))
      call.tail(`data: ${JSON.stringify(chunk())}\n\n`)
      assert.strictEqual(values["gen_ai.response.id"], isRecording ? "chatcmpl-1" : undefined)
    })
  }
})

describe("the end of a stream", () => {
  it("has the finish reason of each choice of a chat", () => {
    const all = [chunk(choice(0, "tool_calls")), chunk(choice(1, null)), chunk(choice(1, "stop")), chunk()]
    assert.deepStrictEqual(told(...all), {
      "gen_ai.response.id": "chatcmpl-1",
      "gen_ai.response.model": "gpt",
      "gen_ai.response.finish_reasons": ["tool_calls", "stop"]
    })
  })

  it("has the last status of a response, not earlier ones", () => {
    const name = "gen_ai.response.finish_reasons"
    assert.deepStrictEqual(told(response("in_progress"), response("completed"))[name], ["completed"])
    const cut = response("incomplete", { incomplete_details: { reason: "max_output_tokens" } })
    assert.deepStrictEqual(told(response("in_progress"), cut)[name], ["max_output_tokens"])
  })
})
