import fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { Demand, ModelLimiter } from "../../src/internal/quota/modelLimiter.ts"
import type { Permit } from "../../src/internal/quota/permit.ts"
import { TurnedAway } from "../../src/internal/quota/turnedAway.ts"
import { handTicker, type HandTicker } from "../support/handTicker.ts"
import { accountOf, answer, demand, enter, laneOf, patient } from "../support/lanes.ts"

const wait = (seconds: number | string) => ({ "retry-after": String(seconds) })

/** Permits that were sent, and when. */
const sender = (ticker: HandTicker, lane: ModelLimiter) => {
  const sent: Array<readonly [at: number, permit: Permit]> = []
  return {
    sent,
    send: (asked: Demand = demand()) =>
      enter(lane, asked).then((permit) => {
        permit.sent(ticker.now())
        sent.push([ticker.now(), permit])
      })
  }
}

const tell = (promise: Promise<unknown>) =>
  promise.then(
    () => "sent",
    (error: unknown) => (error instanceof TurnedAway ? [error.reason, error.retryAfter] : error)
  )

/** So many in flight, of which the first is refused. The others are answered when the gate is open again. */
const refuseOneOf = (lane: ModelLimiter, size: number, headers: Readonly<Record<string, string>>) => {
  const permits = Array.from({ length: size }, () => lane.tryEnter(demand())!)
  answer(permits[0]!, 429, headers)
  return permits.slice(1)
}

/** Permits sent by the end of each of so many steps, if each is answered at once. */
const growth = async (
  ticker: HandTicker,
  sent: ReadonlyArray<readonly [number, Permit]>,
  ms: number,
  steps: number
) => {
  const counts: Array<number> = []
  let answered = 0
  for (let step = 0; step < steps; step++) {
    for (; answered < sent.length; answered++) answer(sent[answered]![1], 200)
    await ticker.pass(ms)
    counts.push(sent.length)
  }
  return counts
}

/** Ms that these wait at most. */
const patience = 60_000

const asked = (): Demand => ({ order: demand().order, tokens: () => 0, patience })

describe("a closed gate", () => {
  it("stays closed for all as long as Retry-After says, then lets one probe through, and half of the usual once that is let in", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker)
    const { send, sent } = sender(ticker, lane)
    for (const permit of refuseOneOf(lane, 40, wait(2))) permit.leave()
    assert.strictEqual(lane.gate.closedFor(0), 2_000)
    for (let i = 0; i < 40; i++) void send()
    await ticker.pass(1_999)
    assert.strictEqual(sent.length, 0, "none before its time")
    await ticker.pass(1)
    assert.strictEqual(sent.length, 1, "a probe")
    answer(sent[0]![1], 200)
    await ticker.pass(450)
    assert.isAtLeast(sent.length, 18, "half of 40 at once, at the pace of 40 a second")
    assert.isAtMost(sent.length, 21)
    await ticker.pass(550)
    assert.strictEqual(sent.length, 40, "all of them")
    for (const [, permit] of sent.slice(1)) answer(permit, 200)
    await ticker.pass(1_000)
    assert.isTrue(lane.gate.isOpen)
    assert.strictEqual(ticker.timers(), 0)
  })

  it("treats a request that is not refused for four times as long as refusals take as let in", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker)
    const { send, sent } = sender(ticker, lane)
    const permits = Array.from({ length: 4 }, () => lane.tryEnter(demand())!)
    await ticker.pass(50)
    answer(permits[0]!, 429, wait(1))
    for (let i = 0; i < 3; i++) void send()
    await ticker.pass(1_000 + 4 * 50 + 100)
    assert.deepStrictEqual(
      sent.slice(0, 2).map(([at]) => at),
      [1_050, 1_350]
    )
  })

  it("remembers the former concurrency when probes are refused, and however long it was closed", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker)
    const { send, sent } = sender(ticker, lane)
    for (const permit of refuseOneOf(lane, 100, wait(10))) permit.leave()
    for (let i = 0; i < 200; i++) void send()
    for (let probes = 1; probes <= 5; probes++) {
      await ticker.pass(10_000)
      assert.strictEqual(sent.length, probes)
      answer(sent[probes - 1]![1], 429, wait(10))
    }
    await ticker.pass(10_000)
    answer(sent[5]![1], 200)
    await ticker.pass(1_000)
    assert.isAtLeast(sent.length, 100)
  })

  it("holds no request back for longer than it may wait, but probes", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker)
    answer(lane.tryEnter(asked())!, 429, wait(86_400))
    assert.strictEqual(lane.gate.closedFor(0), 1_000)
    const waits = Array.from({ length: 3 }, () => enter(lane, asked(), { ...patient, maxRetryAfter: patience }))
    await ticker.pass(1_000)
    answer(await waits[0]!, 200)
    await ticker.pass(400)
    answer(await waits[1]!, 200)
    answer(await waits[2]!, 200)
  })

  it("is open at once when one that was sent later is answered", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker)
    const early = lane.tryEnter(asked())!
    await ticker.pass(10)
    const [refused, later] = [lane.tryEnter(asked())!, lane.tryEnter(asked())!]
    answer(refused, 429, wait(86_400))
    answer(early, 200)
    assert.isFalse(lane.gate.isOpen, "sent before, it says nothing")
    answer(later, 200)
    assert.isTrue(lane.gate.isOpen)
  })

  it("fails at once all requests that may not wait so long, when two probes agree", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker)
    const waiting = { ...patient, maxRetryAfter: patience }
    answer(lane.tryEnter(asked())!, 429, wait(86_400))
    const others = Array.from({ length: 4 }, () => enter(lane, asked(), waiting))
    await ticker.pass(1_000)
    answer(await others[0]!, 429, wait(86_399))
    await ticker.pass(1_999)
    assert.strictEqual(lane.queued, 3, "one probe may be wrong")
    await ticker.pass(1)
    answer(await others[1]!, 429, wait(86_397))
    assert.deepStrictEqual(await tell(others[2]!), ["RateLimited", 86_397_000])
    assert.deepStrictEqual(await tell(others[3]!), ["RateLimited", 86_397_000])
    assert.deepStrictEqual(await tell(lane.enter(asked(), waiting)), ["RateLimited", 86_397_000])
    await ticker.pass(4_000)
    answer(lane.tryEnter(asked())!, 200)
    assert.strictEqual(await enter(lane, asked(), waiting).then(() => "sent"), "sent", "the next probe was let in")
  })

  it("counts a probe whose refusal takes longer than others as one that agrees", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker)
    const waiting = { ...patient, maxRetryAfter: patience }
    answer(lane.tryEnter(asked())!, 429, wait(86_400))
    for (const pause of [1_000, 2_000]) {
      const probe = enter(lane, asked(), waiting)
      await ticker.pass(pause)
      const permit = await probe
      permit.sent(ticker.now())
      await ticker.pass(900)
      answer(permit, 429, wait(86_400))
    }
    assert.deepStrictEqual(await tell(lane.enter(asked(), waiting)), ["RateLimited", 86_400_000])
  })

  it("is not closed by a 503, whose Retry-After may be that of one backend of many", () => {
    const ticker = handTicker()
    const lane = laneOf(ticker)
    for (let i = 0; i < 3; i++) answer(lane.tryEnter(demand())!, 503, wait(10))
    assert.isTrue(lane.gate.isOpen)
  })

  it("is closed for longer by a longer wish, and never for shorter", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker)
    const [a, b, c, d] = [demand(), demand(), demand(), demand()].map((one) => lane.tryEnter(one)!)
    answer(a!, 429, wait(2))
    answer(b!, 429, wait(1))
    answer(c!, 429)
    assert.strictEqual(lane.gate.closedFor(0), 2_000)
    await ticker.pass(1_500)
    answer(d!, 429, wait(3))
    assert.strictEqual(lane.gate.closedFor(ticker.now()), 3_000)
  })

  it("closes again at half of what was refused, and grows by a tenth from there", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker)
    const { send, sent } = sender(ticker, lane)
    for (const permit of refuseOneOf(lane, 100, wait(1))) permit.leave()
    for (let i = 0; i < 300; i++) void send()
    await ticker.pass(1_000)
    answer(sent[0]![1], 200)
    await ticker.pass(290)
    const wereOut = sent.length - 1
    assert.isAtMost(wereOut, 50)
    for (const [, permit] of sent.slice(1)) answer(permit, 429, wait(1))
    await ticker.pass(1_000)
    const probe = sent.length
    answer(sent[probe - 1]![1], 200)
    await ticker.pass(299)
    assert.isAtMost(sent.length - probe, 25)
    await ticker.pass(600)
    assert.isAtMost(sent.length - probe, 31)
  })

  it("a probe that is refused, or is lost, is followed by one probe", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker)
    const { send, sent } = sender(ticker, lane)
    answer(lane.tryEnter(demand())!, 429, wait(1))
    for (let i = 0; i < 5; i++) void send()
    await ticker.pass(1_000)
    answer(sent[0]![1], 429, wait(1))
    await ticker.pass(1_000)
    assert.strictEqual(sent.length, 2)
    sent[1]![1].leave()
    await ticker.pass(1)
    assert.strictEqual(sent.length, 3, "without an answer it says nothing")
    answer(sent[2]![1], 200)
    await ticker.pass(1_000)
    assert.strictEqual(sent.length, 5)
  })

  it("closes before the first refusal when a response has nothing remaining", async () => {
    const ticker = handTicker()
    const account = accountOf(ticker)
    const [a, b] = [account.lane("a"), account.lane("b")]
    answer(a.tryEnter(demand())!, 200, { "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1.5s" })
    assert.deepStrictEqual([a.gate.closedFor(0), b.gate.closedFor(0)], [1_500, 0], "that model's alone")
    assert.isUndefined(a.tryEnter(demand()))
    assert.isDefined(b.tryEnter(demand()))
  })

  it("is a short pause, if nothing remains and no request was refused: as many may be in flight as before", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker)
    const { send, sent } = sender(ticker, lane)
    const held = Array.from({ length: 5 }, () => lane.tryEnter(demand())!)
    const spent = { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "100ms" }
    for (const permit of held) permit.answered(200, Object.entries(spent))
    for (let i = 0; i < 20; i++) void send()
    await ticker.pass(99)
    assert.strictEqual(sent.length, 0)
    await ticker.pass(1)
    assert.strictEqual(sent.length, 5)
    for (const [, permit] of sent.slice()) answer(permit, 200)
    await ticker.pass(0)
    assert.strictEqual(sent.length, 10)
    await ticker.pass(300)
    assert.strictEqual(sent.length, 15, "twice as many")
  })

  it("opens with a probe after a longer pause as well", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker)
    const { send, sent } = sender(ticker, lane)
    const held = Array.from({ length: 5 }, () => lane.tryEnter(demand())!)
    const spent = { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20s" }
    for (const permit of held) permit.answered(200, Object.entries(spent))
    for (let i = 0; i < 20; i++) void send()
    await ticker.pass(20_000)
    assert.strictEqual(sent.length, 1)
  })

  it("saves up no budget for held requests, however late timers may be", async () => {
    const ticker = handTicker(200)
    const lane = laneOf(ticker, { requestsPerMinute: 60 })
    const { send, sent } = sender(ticker, lane)
    answer(lane.tryEnter(demand())!, 429, wait(10))
    for (let i = 0; i < 3; i++) void send()
    await ticker.pass(10_000)
    answer(sent[0]![1], 200)
    await ticker.pass(1_002)
    assert.strictEqual(sent.length, 1, "a minute that may begin late has longer seconds")
    await ticker.pass(2)
    assert.strictEqual(sent.length, 2)
  })

  it("opens as fast as ever where a pace is kept, however often it was closed", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker, { requestsPerMinute: 600_000 })
    const { send, sent } = sender(ticker, lane)
    answer(lane.tryEnter(demand())!, 429, wait(1))
    for (let i = 0; i < 100; i++) void send()
    for (let closings = 0; closings < 3; closings++) {
      await ticker.pass(1_000)
      answer(sent.at(-1)![1], 429, wait(1))
    }
    await ticker.pass(1_000)
    const counts = await growth(ticker, sent, 300, 16)
    assert.strictEqual(counts.at(-1), 100)
  })

  it("does not keep an account with a small bucket from being used in full, where the pace is known", async () => {
    let seed = 1
    const late = () => (seed = (seed * 48_271) % 2_147_483_647) % 30
    const ticker = handTicker(200, late)
    const lane = laneOf(ticker, { requestsPerMinute: 6_000 })
    // A tenth of a second's worth, at 100 a second; an answer takes two seconds, a refusal none.
    const bucket = { level: 10, at: 0 }
    const done = { ok: 0, refused: 0 }
    const agent = async (): Promise<void> => {
      for (;;) {
        const permit = await enter(lane)
        bucket.level = Math.min(10, bucket.level + (ticker.now() - bucket.at) / 10)
        bucket.at = ticker.now()
        const isLet = bucket.level >= 1
        if (isLet) bucket.level -= 1
        const headers = {
          "x-ratelimit-limit-requests": "6000",
          "x-ratelimit-remaining-requests": `${Math.floor(bucket.level)}`,
          "x-ratelimit-reset-requests": `${Math.ceil((10 - bucket.level) * 10)}ms`,
          ...(!isLet && { "retry-after-ms": "10" })
        }
        if (isLet) await new Promise<void>((resolve) => ticker.after(2_000, resolve))
        answer(permit, isLet ? 200 : 429, headers)
        done[isLet ? "ok" : "refused"]++
      }
    }
    for (let i = 0; i < 500; i++) void agent()
    await ticker.pass(12_000)
    const before = done.ok
    await ticker.pass(20_000)
    assert.isAtLeast((done.ok - before) / 2_000, 0.9)
    assert.isAtMost(done.refused / done.ok, 0.05)
  })

  it("rejects requests that would wait longer than their maxRetryAfter, and the others wait", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker, { maxConcurrency: 1 })
    const held = lane.tryEnter(demand())!
    const short = tell(lane.enter(demand(), { ...patient, maxRetryAfter: 5_000 }))
    const long = tell(lane.enter(demand(), { ...patient, maxRetryAfter: 60_000 }))
    answer(held, 429, wait(10))
    const later = tell(lane.enter(demand(), { ...patient, maxRetryAfter: 0 }))
    assert.deepStrictEqual(await short, ["RateLimited", 10_000])
    assert.deepStrictEqual(await later, ["RateLimited", 10_000])
    assert.strictEqual(lane.queued, 1)
    await ticker.pass(10_000)
    assert.strictEqual(await long, "sent")
  })

  it("lets a retried request go before later ones", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker)
    const { send, sent } = sender(ticker, lane)
    const old = demand()
    answer(lane.tryEnter(old)!, 429, wait(1))
    const young = demand()
    void send(young)
    void send(old)
    await ticker.pass(1_000)
    const first = sent[0]![1]
    await ticker.pass(50)
    assert.strictEqual(sent.length, 1)
    answer(first, 200)
    await ticker.pass(300)
    assert.strictEqual(sent.length, 2)
  })

  it("sends no request while it is closed and all in the end, whatever the responses", async () => {
    const replies = fc.constantFrom<readonly [number, Readonly<Record<string, string>>]>(
      [200, {}],
      [200, {}],
      [429, wait(1)],
      [429, wait(3)],
      [429, {}],
      [429, wait(0)],
      [503, wait("NaN")],
      [500, {}]
    )
    await fc.assert(
      fc.asyncProperty(
        fc.infiniteStream(replies),
        fc.infiniteStream(fc.integer({ min: 0, max: 1_500 })),
        fc.integer({ min: 1, max: 40 }),
        async (answers, latencies, agents) => {
          const ticker = handTicker()
          const lane = laneOf(ticker)
          let closedUntil = 0
          let done = 0
          const agent = async (): Promise<void> => {
            const asked = demand()
            for (let attempt = 0; ; attempt++) {
              const permit = await enter(lane, asked)
              assert.isAtLeast(ticker.now(), closedUntil)
              await new Promise<void>((resolve) => ticker.after(latencies.next().value, resolve))
              const [status, headers] = attempt > 3 ? ([200, {}] as const) : answers.next().value
              const seconds = Number(headers["retry-after"])
              if (seconds > 0) closedUntil = Math.max(closedUntil, ticker.now() + seconds * 1_000)
              answer(permit, status, headers)
              if (status === 200) break
            }
            done++
          }
          for (let i = 0; i < agents; i++) void agent()
          await ticker.pass(1_000_000)
          assert.strictEqual(done, agents)
          assert.deepStrictEqual([lane.inFlight, lane.queued, ticker.timers()], [0, 0, 0])
        }
      ),
      { numRuns: 100 }
    )
  })
})
