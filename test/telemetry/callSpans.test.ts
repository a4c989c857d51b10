/** When the span of a stream ends that its reader leaves. */
import { afterEach, assert, describe, it, vi } from "vitest"
import { Call } from "../../src/internal/telemetry/calls.ts"
import type { RequestSpan } from "../../src/internal/telemetry/requestSpan.ts"

afterEach(() => {
  vi.useRealTimers()
})

const open = () => {
  const told: Array<string> = []
  const span: RequestSpan = {
    set: (name) => told.push(name),
    event: () => undefined,
    within: (f) => f(),
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
    call.over()
    assert.deepStrictEqual(told, ["mark", "end Aborted"])
  })
})
