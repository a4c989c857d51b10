/** The machine by itself, by a clock that goes when it is told to. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Circuit, type Failure, type Turns } from "../../src/internal/transport/circuit.ts"

const cooldown = 30_000

const setup = (failures = 5) => {
  const turns: Turns = { now: 0 }
  const circuit = new Circuit({ failures, cooldown }, turns)
  const failure = (more: Partial<Failure> = {}): Failure => ({
    sent: turns.now,
    request: {},
    error: {},
    late: false,
    ...more
  })
  return { circuit, failure, turns }
}

describe("a circuit", () => {
  it("opens with the fifth failure in a row, lets one go after the cooldown, and closes with its success", () => {
    const { circuit, failure } = setup()
    for (let i = 0; i < 4; i++) expect(circuit.failed(failure(), 0)).toBe("counted")
    expect([circuit.isOpen, circuit.left(0)]).toEqual([false, 0])
    expect(circuit.failed(failure(), 1_000)).toBe("opened")
    expect([circuit.isOpen, circuit.left(1_000), circuit.left(30_999)]).toEqual([true, 30_000, 1])
    expect(circuit.left(31_000)).toBe(0)
    circuit.probe(31_000)
    expect(circuit.left(31_000), "one and no more").toBe(30_000)
    expect(circuit.succeeded()).toBe(true)
    expect([circuit.isOpen, circuit.isQuiet, circuit.left(31_000)]).toEqual([false, true, 0])
    for (let i = 0; i < 4; i++) expect(circuit.failed(failure(), 40_000), "anew").toBe("counted")
  })

  it("waits for another cooldown when the probe fails, and sends another when it says nothing for so long", () => {
    const { circuit, failure } = setup(1)
    circuit.failed(failure(), 0)
    circuit.probe(30_000)
    expect(circuit.failed(failure(), 35_000)).toBe("reopened")
    expect(circuit.left(35_000)).toBe(30_000)
    const withdraw = circuit.probe(65_000)
    expect(circuit.left(94_999)).toBe(1)
    expect(circuit.left(95_000)).toBe(0)
    circuit.probe(95_000)
    withdraw(96_000)
    expect(circuit.left(96_000), "the first is not the one that counts any more").toBe(29_000)
  })

  it("lets another go at once when the probe ended without a verdict", () => {
    const { circuit, failure } = setup(1)
    circuit.failed(failure(), 0)
    const withdraw = circuit.probe(30_000)
    withdraw(31_000)
    expect(circuit.left(31_000)).toBe(0)
    const next = circuit.probe(31_000)
    circuit.succeeded()
    next(32_000)
    expect(circuit.isOpen).toBe(false)
  })

  it("takes a thousand that fail at the same moment for one, and those that were sent after it for more", () => {
    const { circuit, failure } = setup()
    for (let wave = 1; wave <= 5; wave++) {
      const all = Array.from({ length: 1_000 }, () => failure())
      expect(all.filter((one) => circuit.failed(one, wave) !== "ignored")).toHaveLength(1)
      expect(circuit.isOpen).toBe(wave === 5)
    }
  })

  it("counts each that had waited until its time was up, but what broke with the same error once", () => {
    const { circuit, failure } = setup()
    const error = {}
    for (let i = 0; i < 9; i++) circuit.failed(failure({ sent: 0, late: true, error }), 0)
    expect(circuit.isOpen).toBe(false)
    for (let i = 0; i < 4; i++) circuit.failed(failure({ sent: 0, late: true }), 0)
    expect(circuit.isOpen).toBe(true)
  })

  it("counts a request once, however often it is tried", () => {
    const { circuit, failure } = setup(2)
    const request = {}
    for (let i = 0; i < 9; i++) circuit.failed(failure({ request }), 0)
    expect(circuit.isOpen).toBe(false)
    circuit.failed(failure(), 0)
    expect(circuit.isOpen).toBe(true)
  })

  it("does not hear what was sent before the probe, unless it is a success", () => {
    const { circuit, failure } = setup(1)
    const old = failure()
    circuit.failed(failure(), 0)
    expect(circuit.failed(old, 1)).toBe("ignored")
    circuit.probe(30_000)
    expect(circuit.failed({ ...old, late: true }, 30_001)).toBe("ignored")
    expect(circuit.left(30_001)).toBe(29_999)
    expect(circuit.succeeded()).toBe(true)
  })

  it("keeps its word whatever happens in whatever order", () => {
    type Step =
      | { readonly type: "pass"; readonly ms: number }
      | { readonly type: "send"; readonly request: number }
      | { readonly type: "fail"; readonly which: number; readonly late: boolean }
      | { readonly type: "succeed"; readonly which: number }
      | { readonly type: "abort"; readonly which: number }
    const which = fc.nat({ max: 30 })
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({ type: fc.constant("pass" as const), ms: fc.constantFrom(1, 1_000, 29_999, 30_000) }),
      { weight: 3, arbitrary: fc.record({ type: fc.constant("send" as const), request: fc.nat({ max: 8 }) }) },
      { weight: 4, arbitrary: fc.record({ type: fc.constant("fail" as const), which, late: fc.boolean() }) },
      fc.record({ type: fc.constantFrom("succeed" as const, "abort" as const), which })
    )
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 120 }), (failures, steps) => {
        const { circuit, turns } = setup(failures)
        const requests = Array.from({ length: 9 }, () => ({}))
        const out: Array<{
          readonly sent: number
          readonly request: object
          readonly withdraw: ((now: number) => void) | undefined
          readonly probe: { ended: boolean }
        }> = []
        let now = 0
        /** Which requests failed since the last success, and when it last opened or let one go. */
        const failed = new Set<object>()
        let lastOpen = -Infinity
        let lastProbe = { at: -Infinity, ended: true }
        for (const one of steps) {
          if (one.type === "pass") now += one.ms
          else if (one.type === "send") {
            const wasOpen = circuit.isOpen
            if (circuit.left(now) > 0) {
              expect(now - lastOpen, "held back no longer than the cooldown").toBeLessThan(cooldown)
              continue
            }
            const withdraw = wasOpen ? circuit.probe(now) : undefined
            const probe = { at: now, ended: false }
            if (wasOpen) {
              expect(lastProbe.ended || now - lastProbe.at >= cooldown, "one probe at a time").toBe(true)
              lastOpen = now
              lastProbe = probe
            }
            out.push({ sent: turns.now, request: requests[one.request]!, withdraw, probe })
          } else if (out.length > 0) {
            const [attempt] = out.splice(one.which % out.length, 1)
            const { probe, request, sent, withdraw } = attempt!
            probe.ended = true
            if (one.type === "succeed") {
              circuit.succeeded()
              failed.clear()
              expect([circuit.isOpen, circuit.isQuiet]).toEqual([false, true])
            } else if (one.type === "abort") {
              const before = circuit.isOpen
              withdraw?.(now)
              expect(circuit.isOpen, "an abort is no verdict").toBe(before)
            } else {
              failed.add(request)
              const verdict = circuit.failed({ request, sent, error: undefined, late: one.late }, now)
              if (verdict === "opened") expect(failed.size).toBeGreaterThanOrEqual(failures)
              if (verdict === "opened" || verdict === "reopened") lastOpen = now
              expect(circuit.isOpen ? circuit.left(now) <= cooldown : circuit.left(now) === 0).toBe(true)
            }
          }
        }
      }),
      { numRuns: 2_000 }
    )
  })
})
