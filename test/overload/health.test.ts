/** Requests held back by the policy: their order, the time at which they go, and their failures. */
import { assert, describe, it } from "vitest"
import {
  Health,
  type BudgetUsedUp,
  type CircuitChange,
  type HealthOptions
} from "../../src/internal/overload/health.ts"
import { Pass } from "../../src/internal/overload/lane.ts"
import { WireError } from "../../src/internal/wire/errors.ts"
import { handTicker, settle } from "../support/handTicker.ts"

const lost = new WireError("Connection", "maybe", "reset")
const refused = new WireError("Connection", "no", "refused")

let order = 0

const setup = (options: Partial<HealthOptions> = {}) => {
  const ticker = handTicker()
  const changes: Array<CircuitChange> = []
  const usedUp: Array<BudgetUsedUp> = []
  const health = new Health({
    origin: "https://a",
    circuitFailures: 64,
    circuitCooldown: 5_000,
    ticker,
    random: () => 0.5,
    onCircuit: (change) => changes.push(change),
    onBudget: (one) => usedUp.push(one),
    ...options
  })
  const subject = (model = "m", tenant: object = health) => ({ tenant, about: { model } })
  /** Names of requests that were sent or failed, in order. */
  const went: Array<string> = []
  const passes = new Map<string, Pass>()
  const wait = (
    name: string,
    { model = "m", ms = 60_000, place = ++order, sharesVerdict = false, tenant = health as object } = {}
  ) =>
    health.wait(subject(model, tenant), { order: place, ms, signal: undefined, sharesVerdict }).then((verdict) => {
      went.push(verdict instanceof Pass ? name : `${name} ${verdict}`)
      if (verdict instanceof Pass) {
        passes.set(name, verdict)
        health.sent(verdict)
      }
    })
  return { ticker, health, changes, usedUp, subject, went, passes, wait }
}

/** A lane that answers nothing. */
const shut = async ({ health, subject, ticker }: ReturnType<typeof setup>, model = "m", tenant: object = health) => {
  for (let i = 0; i < 64; i++) {
    const pass = health.enter(subject(model, tenant))!
    health.sent(pass)
    await ticker.pass(10)
    health.unanswered(pass, lost)
  }
  assert.isFalse(health.isFlowing(health.laneOf(subject(model, tenant))))
}

describe("a lane that is shut", () => {
  it("sends waiting requests as probes, in their order, and all when one got in, not all at once", async () => {
    const all = setup()
    const { health, passes, ticker, wait, went } = all
    await shut(all)
    for (let i = 0; i < 100; i++) void wait(`${i}`)
    assert.isUndefined(health.enter(all.subject()))
    for (let ms = 0; ms < 5_000; ms += 10) {
      await ticker.pass(10)
      for (const pass of passes.values()) health.unanswered(pass, lost)
    }
    const probes = went.length
    assert.isAtLeast(probes, 5)
    assert.isAtMost(probes, 20)
    assert.deepStrictEqual(
      went,
      Array.from({ length: probes }, (_, i) => `${i}`)
    )
    await ticker.pass(1_000)
    health.answered(passes.get(`${probes}`)!, 200)
    await ticker.pass(20)
    assert.isAtMost(went.length - probes, 40)
    await ticker.pass(3_000)
    assert.strictEqual(went.length, 100)
    for (const pass of passes.values()) health.answered(pass, 200)
    assert.deepStrictEqual(
      all.changes.map(({ isOpen }) => isOpen),
      [true, false]
    )
    assert.strictEqual(health.waiting, 0)
  })

  it("reports its lane, its last failure, and the time of the first probe", async () => {
    const all = setup()
    await shut(all)
    assert.strictEqual(all.changes.length, 1)
    const [{ of, probeIn, why }] = all.changes as [CircuitChange]
    assert.deepStrictEqual([of, why], ['https://a ("m")', "reset"])
    assert.isAtMost(probeIn, 500)
    assert.include(all.health.refusal(all.subject()).message, 'https://a ("m") has not responded for')
  })

  it("is independent of other models and credentials", async () => {
    const all = setup()
    await shut(all)
    assert.isDefined(all.health.enter(all.subject("n")))
    assert.isDefined(all.health.enter(all.subject("m", {})))
  })

  it("gives requests without retries the next probe's verdict, and keeps the others", async () => {
    const all = setup()
    const { health, passes, ticker, wait, went } = all
    await shut(all)
    void wait("probe")
    void wait("hasty", { sharesVerdict: true })
    void wait("patient")
    await ticker.pass(376)
    assert.deepStrictEqual(went, ["probe"])
    health.answered(passes.get("probe")!, 503)
    await settle()
    assert.deepStrictEqual(went, ["probe", "hasty refused"])
    assert.strictEqual(health.waiting, 1)
  })

  it("drops requests that have waited as long as they may, and aborted ones", async () => {
    const all = setup()
    const { health, subject, ticker, wait, went } = all
    await shut(all)
    void wait("first", { ms: 60_000 })
    void wait("short", { ms: 200 })
    const abort = new AbortController()
    const aborted = health.wait(subject(), { order: ++order, ms: 60_000, signal: abort.signal, sharesVerdict: false })
    abort.abort(new Error("no more"))
    assert.strictEqual(await aborted.catch(({ message }: Error) => message), "no more")
    await ticker.pass(200)
    assert.deepStrictEqual(went, ["short late"])
    assert.strictEqual(health.waiting, 1)
    await ticker.pass(60_000)
    assert.strictEqual(health.waiting, 0)
    assert.strictEqual(ticker.timers(), 0)
  })

  it("goes on when a pass is dropped unused", async () => {
    const all = setup()
    const { health, subject, ticker } = all
    await shut(all)
    const wait = () => health.wait(subject(), { order: ++order, ms: 60_000, signal: undefined, sharesVerdict: false })
    const [first, second] = [wait(), wait()]
    await ticker.pass(500)
    health.drop((await first) as Pass)
    await ticker.pass(2_000)
    assert.instanceOf(await second, Pass)
  })
})

describe("an origin that can't be reached", () => {
  it("holds all lanes back, probes for all of them in turn, and lets all go when one got in", async () => {
    const all = setup()
    const { health, passes, ticker, wait, went } = all
    const fail = () => health.unreachable(refused, () => undefined)
    fail()
    const tenants = Array.from({ length: 1_000 }, () => ({}))
    tenants.forEach((tenant, i) => void wait(`${i}`, { tenant }))
    for (let i = 0; i < 1_000; i++) {
      await ticker.pass(10)
      if (went.length === 0) continue
      for (const [name, pass] of passes) {
        if (pass.isOver) continue
        health.drop(passes.get(name)!)
        fail()
      }
    }
    assert.isAtLeast(went.length, 10)
    assert.isAtMost(went.length, 40, "probes of all lanes together")
    await ticker.pass(1_000)
    health.answered(passes.get(went.at(-1)!)!, 200)
    await ticker.pass(8_000)
    assert.strictEqual(went.length, 1_000)
    assert.strictEqual(health.waiting, 0)
  })
})

const drain = ({ health, subject }: ReturnType<typeof setup>) => {
  let paid = 0
  while (health.pay(subject(), 10)) paid++
  return paid
}

describe("a budget that is used up", () => {
  it("lets retries wait, ten a second, and first attempts go past them", async () => {
    const all = setup()
    const { health, subject, ticker } = all
    assert.strictEqual(drain(all), 100)
    let paid = 0
    for (let i = 0; i < 50; i++) {
      const wait = { order: ++order, ms: 60_000, signal: undefined, sharesVerdict: false }
      void health.waitPaid(subject(), wait).then((verdict) => {
        assert.strictEqual(verdict, "paid")
        paid++
      })
    }
    await ticker.pass(1_000)
    assert.isAtLeast(paid, 9)
    assert.isAtMost(paid, 10)
    const first = health.enter(subject())!
    assert.instanceOf(first, Pass)
    health.sent(first)
    health.answered(first, 200)
    await settle()
    assert.isAtLeast(paid, 16, "an answer pays for seven")
    assert.isFalse(health.pay(subject(), 10), "behind those who wait")
  })

  it("is logged once, until it recovers", async () => {
    const all = setup()
    const { health, subject, ticker, usedUp } = all
    drain(all)
    health.denied(subject())
    health.denied(subject())
    assert.strictEqual(usedUp.length, 1)
    await ticker.pass(100_000)
    for (let i = 0; i < 20; i++) {
      const pass = health.enter(subject())!
      health.sent(pass)
      health.answered(pass, 200)
    }
    health.denied(subject())
    assert.strictEqual(usedUp.length, 2)
  })

  it("does not matter any more when the lane shuts: they wait in line as the others", async () => {
    const all = setup()
    const { health, subject, ticker } = all
    drain(all)
    const wait = { order: ++order, ms: 60_000, signal: undefined, sharesVerdict: false }
    const unpaid = health.waitPaid(subject(), wait)
    health.isExhausted(subject(), ticker.now(), 0)
    await ticker.pass(500)
    assert.instanceOf(await unpaid, Pass)
  })
})

describe("the count of failures", () => {
  it("has each failure once, also where a request's last one opens the circuit", async () => {
    const all = setup()
    const { health, subject, ticker } = all
    const since = ticker.now()
    const pass = health.enter(subject())!
    health.sent(pass)
    await ticker.pass(10)
    health.unanswered(pass, lost)
    assert.isTrue(health.isExhausted(subject(), since, 1))
    assert.strictEqual(all.changes[0]?.failures, 1)
  })

  it("is 0 when all attempts have ended, however they ended", async () => {
    const all = setup()
    const { health, subject } = all
    const ends: ReadonlyArray<(pass: Pass) => void> = [
      (pass) => health.answered(pass, 200),
      (pass) => health.answered(pass, 429),
      (pass) => health.answered(pass, 500),
      (pass) => health.unanswered(pass, lost),
      (pass) => health.unanswered(pass, new WireError("Aborted", "maybe", "aborted")),
      (pass) => health.drop(pass)
    ]
    for (const end of [...ends, ...ends]) {
      const pass = health.enter(subject())!
      health.sent(pass)
      end(pass)
      // Once is enough, and twice is no more.
      end(pass)
    }
    assert.strictEqual(health.laneOf(subject()).state.inFlight, 0)
  })
})
