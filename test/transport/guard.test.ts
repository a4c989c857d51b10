/** Those who wait for a circuit, by a clock that goes when it is told to. */
import { describe, expect, it } from "vitest"
import { Guard } from "../../src/internal/transport/guard.ts"
import type { WireRequest } from "../../src/internal/wire.ts"
import { handTicker, settle } from "../support/handTicker.ts"

const timeouts = { headers: 1_000, body: 1_000 }

const request = (): WireRequest => ({
  method: "GET",
  path: "/",
  headers: {},
  body: undefined,
  about: { model: "m", asksForEvents: () => false },
  signal: undefined,
  timeouts
})

/** A guard whose circuit has just opened, for 30 s, and those who wait for it, with how each wait ended. */
const setup = (waiters: number) => {
  const ticker = handTicker()
  const turns = { now: 0 }
  const guard = new Guard("it", { failures: 1, cooldown: 30_000 }, turns, ticker)
  const fail = () =>
    guard.failed({ request: {}, error: undefined, sent: turns.now, late: false }, "for reasons of its own")
  fail()
  const abort = new AbortController()
  const ended: Array<number | string> = []
  const requests = Array.from({ length: waiters }, request)
  const wait = (index: number, most: number) =>
    guard
      .refusal(requests[index]!)!
      .wait(abort.signal, most)
      .then(
        () => void ended.push(index),
        () => void ended.push(`${index} aborted`)
      )
  for (const index of requests.keys()) void wait(index, Infinity)
  return { abort, ended, fail, guard, requests, ticker, wait }
}

describe("those who wait for a circuit", () => {
  it("are called one by one while it is open: the first as the probe, another if that does not go", async () => {
    const { ended, guard, requests, ticker } = setup(3)
    await ticker.pass(29_999)
    expect(ended).toEqual([])
    await ticker.pass(1)
    expect(ended).toEqual([0])
    expect(guard.refusal(requests[0]!), "it may go").toBeUndefined()
    expect(guard.refusal(request()), "nobody else, though nobody has gone yet").toBeDefined()
    await ticker.pass(1_000)
    expect(ended).toEqual([0, 1])
    expect(guard.refusal(requests[0]!), "it had its time").toBeDefined()
    guard.goes()
    expect(guard.refusal(requests[1]!)?.left).toBe(30_000)
    await ticker.pass(29_999)
    expect(ended).toEqual([0, 1])
    await ticker.pass(1)
    expect(ended, "the probe says nothing").toEqual([0, 1, 2])
    expect(ticker.timers()).toBe(0)
  })

  it("keep nobody out for long when who was called is turned away elsewhere, and nobody else waits", async () => {
    const { ended, guard, ticker } = setup(1)
    await ticker.pass(30_000)
    expect(ended).toEqual([0])
    await ticker.pass(1_000)
    expect(guard.refusal(request()), "it has its second").toBeDefined()
    await ticker.pass(1)
    expect(guard.refusal(request())).toBeUndefined()
    guard.goes()
    expect(guard.refusal(request())?.left, "one went, and no herd").toBe(30_000)
  })

  it("follow a probe that succeeds two by two with each answer, and one by one while none comes", async () => {
    const { ended, guard, ticker } = setup(9)
    await ticker.pass(30_000)
    guard.goes()
    expect(guard.succeeded()).toBe(true)
    await settle()
    expect(ended).toEqual([0, 1, 2])
    expect(guard.isQuiet, "some wait").toBe(false)
    expect(guard.succeeded(), "closed already").toBe(false)
    guard.succeeded()
    await settle()
    expect(ended).toEqual([0, 1, 2, 3, 4, 5, 6])
    await ticker.pass(1_000)
    expect(ended).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    await ticker.pass(1_000)
    expect(ended).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
    expect([guard.isQuiet, ticker.timers()]).toEqual([true, 0])
  })

  it("are all asked whether to wait on when the probe fails", async () => {
    const { ended, fail, guard, requests, ticker } = setup(5)
    await ticker.pass(30_000)
    guard.goes()
    expect(fail()).toBe("reopened")
    await settle()
    expect(ended).toEqual([0, 1, 2, 3, 4])
    expect(guard.refusal(requests[4]!)?.left).toBe(30_000)
    expect(guard.refusal(requests[4]!)?.message).toBe(
      "requests to it fail, so none is sent for another 30.0 s: for reasons of its own"
    )
  })

  it("stay in line when it opens anew before their turn has come", async () => {
    const { ended, fail, guard, ticker } = setup(6)
    await ticker.pass(30_000)
    guard.goes()
    guard.succeeded()
    await settle()
    expect(fail()).toBe("opened")
    await ticker.pass(29_999)
    expect(ended).toEqual([0, 1, 2])
    await ticker.pass(1)
    expect(ended).toEqual([0, 1, 2, 3])
  })

  it("leave when their patience ends, or their callers give up, and hold nothing then", async () => {
    const { abort, ended, guard, ticker, wait } = setup(1)
    void wait(0, 500)
    await ticker.pass(500)
    expect(ended).toEqual([0])
    const refusal = guard.refusal(request())!
    abort.abort(new Error("enough"))
    await settle()
    expect(ended).toEqual([0, "0 aborted"])
    await expect(refusal.wait(abort.signal, Infinity)).rejects.toThrow("enough")
    expect(ticker.timers()).toBe(0)
  })

  it("do not wait at all for one that has closed meanwhile", async () => {
    const { guard, ticker } = setup(0)
    const refusal = guard.refusal(request())!
    guard.succeeded()
    await refusal.wait(new AbortController().signal, Infinity)
    expect(ticker.timers()).toBe(0)
  })

  it("go on at once, the next as the probe, when the probe was given up", async () => {
    const { ended, guard, ticker } = setup(2)
    await ticker.pass(30_000)
    const givenUp = guard.goes()!
    givenUp()
    await ticker.pass(0)
    expect(ended).toEqual([0, 1])
  })
})
