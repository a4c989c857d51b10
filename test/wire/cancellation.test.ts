import { describe, expect, it } from "vitest"
import { Cancellation, signalOf } from "../../src/internal/wire/cancellation.ts"

const heard = () => {
  const listener = { calls: 0, handleEvent: () => void listener.calls++ }
  return listener
}

describe("a cancellation", () => {
  it("calls each listener once, and none that has left", () => {
    const cancellation = new Cancellation()
    const [a, b, left, only] = [heard(), heard(), heard(), heard()]
    cancellation.addEventListener("abort", only)
    cancellation.removeEventListener("abort", only)
    for (const listener of [a, left, b]) cancellation.addEventListener("abort", listener)
    cancellation.removeEventListener("abort", left)
    expect(cancellation.aborted).toBe(false)
    cancellation.cancel()
    cancellation.cancel()
    expect([a, b, left, only].map(({ calls }) => calls)).toEqual([1, 1, 0, 0])
  })

  it("keeps the listeners that another's leaving does not concern", () => {
    const cancellation = new Cancellation()
    const [stays, stranger] = [heard(), heard()]
    cancellation.addEventListener("abort", stays)
    cancellation.removeEventListener("abort", stranger)
    cancellation.cancel()
    expect(stays.calls).toBe(1)
  })

  it("lets a listener leave while it is called", () => {
    const cancellation = new Cancellation()
    const later = heard()
    const leaves = { handleEvent: () => cancellation.removeEventListener("abort", leaves) }
    cancellation.addEventListener("abort", leaves)
    cancellation.addEventListener("abort", later)
    cancellation.cancel()
    expect(later.calls).toBe(1)
  })

  it.each(["before", "after"])("has a signal that is aborted for the same reason, asked for %s", (when) => {
    const cancellation = new Cancellation()
    const early = when === "before" ? cancellation.signal : undefined
    cancellation.cancel()
    const { signal } = cancellation
    expect(signal).toBe(early ?? signal)
    expect(signal.aborted).toBe(true)
    expect(signal.reason).toBe(cancellation.reason)
    expect(cancellation.reason).toMatchObject({ name: "AbortError" })
  })

  it("is known from a signal, which is its own", () => {
    const cancellation = new Cancellation()
    const { signal } = new AbortController()
    expect(signalOf(cancellation)).toBe(cancellation.signal)
    expect(signalOf(signal)).toBe(signal)
  })
})
