/** An account under everything that can happen to it, in any order; and what must hold whatever does. */
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as Account from "../../src/internal/quota/credentialLimiter.ts"
import type { Waiting } from "../../src/internal/quota/waiter.ts"
import { adaptiveDefaults } from "../../src/internal/config/adaptive.ts"
import type { Limits } from "../../src/internal/quota/limits.ts"
import type { Permit } from "../../src/internal/quota/permit.ts"
import type { Shared } from "../../src/internal/quota/remote.ts"
import { TurnedAway } from "../../src/internal/quota/turnedAway.ts"
import { handTicker, settle, type HandTicker } from "../support/handTicker.ts"
import { demand } from "../support/lanes.ts"

/** End of an attempt: an answer, `lost` on the way, or `unsent`. */
type End =
  | { readonly type: "answer"; readonly status: number; readonly headers: Readonly<Record<string, string>> }
  | { readonly type: "lost" | "unsent" }

interface Request {
  readonly model: string
  readonly tokens: number
  readonly used: number
  readonly maxRetryAfter: number
  readonly timeout: number
  readonly movable: boolean
  /** Milliseconds after which its signal aborts, while it waits or later. */
  readonly abortsAfter: number | undefined
  readonly ends: ReadonlyArray<End>
  /** Until the head, and from there to the end of the body. */
  readonly latency: readonly [number, number]
}

type Step = { readonly pause: number } & (
  | { readonly type: "request"; readonly requests: ReadonlyArray<Request> }
  | { readonly type: "join"; readonly limits: Limits }
  | { readonly type: "part" }
  | { readonly type: "outage"; readonly ms: number }
)

interface Scenario {
  readonly limits: Limits
  readonly late: ReadonlyArray<number>
  readonly shared: boolean
  readonly roundTrips: ReadonlyArray<number>
  readonly steps: ReadonlyArray<Step>
}

const wait = (seconds: number) => ({ "retry-after": String(seconds) })
const reply = (status: number, headers: Readonly<Record<string, string>> = {}): End => ({
  type: "answer",
  status,
  headers
})

const ends = fc.oneof(
  { weight: 20, arbitrary: fc.constant(reply(200)) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      reply(200, { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "700ms" }),
      reply(429),
      reply(429, wait(0)),
      reply(429, wait(1)),
      reply(429, wait(7)),
      reply(503, wait(2)),
      reply(500),
      reply(400)
    )
  },
  { weight: 1, arbitrary: fc.constant(reply(401)) },
  { weight: 2, arbitrary: fc.constantFrom<End>({ type: "lost" }, { type: "unsent" }) }
)

const request: fc.Arbitrary<Request> = fc.record({
  model: fc.constantFrom("a", "b", "c"),
  tokens: fc.integer({ min: 1, max: 2_000 }),
  used: fc.integer({ min: 0, max: 3_000 }),
  maxRetryAfter: fc.constantFrom(0, 500, 1_000, 5_000, Infinity, Infinity, Infinity),
  timeout: fc.constantFrom(0, 100, 1_500, 10_000, Infinity, Infinity, Infinity),
  movable: fc.boolean(),
  abortsAfter: fc.option(fc.integer({ min: 0, max: 4_000 }), { nil: undefined, freq: 3 }),
  ends: fc.array(ends, { maxLength: 4 }),
  latency: fc.tuple(fc.integer({ min: 0, max: 2_500 }), fc.integer({ min: 0, max: 1_000 }))
})

const limits: fc.Arbitrary<Limits> = fc.record({
  requestsPerMinute: fc.constantFrom(7, 60, 600, 6_000, Infinity, Infinity),
  tokensPerMinute: fc.constantFrom(10_000, 1_000_000, Infinity, Infinity),
  burst: fc.integer({ min: 1, max: 4 }),
  maxConcurrency: fc.constantFrom<Limits["maxConcurrency"]>(1, 2, 5, Infinity, adaptiveDefaults, {
    ...adaptiveDefaults,
    max: 4,
    initial: 1
  }),
  maxWaiters: fc.constant(Infinity),
  retriesPerSecond: fc.constant(Infinity)
})

const most = (maxLength: number) => ({ maxLength, size: "max" }) as const

const step: fc.Arbitrary<Step> = fc
  .tuple(
    fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3_000 })),
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ type: fc.constant("request" as const), requests: fc.array(request, most(12)) })
      },
      { weight: 1, arbitrary: fc.record({ type: fc.constant("join" as const), limits }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant("part" as const) }) },
      {
        weight: 1,
        arbitrary: fc.record({ type: fc.constant("outage" as const), ms: fc.integer({ max: 5_000, min: 1 }) })
      }
    )
  )
  .map(([pause, rest]) => ({ pause, ...rest }))

const scenario: fc.Arbitrary<Scenario> = fc.record({
  limits,
  late: fc.array(fc.integer({ min: 0, max: 200 }), { minLength: 1, maxLength: 9 }),
  shared: fc.boolean(),
  roundTrips: fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 9 }),
  steps: fc.array(step, most(12))
})

const cycle = <A>(values: ReadonlyArray<A>): (() => A) => {
  let at = 0
  return () => values[at++ % values.length]!
}

/** Lets all requests that went in the same moment settle, in any order. */
const turn = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}

const pass = (ticker: HandTicker, ms: number) => new Promise<void>((resolve) => void ticker.after(ms, resolve))

/** A budget that others use too: it grants some, then none for a while, and answers when it answers. */
const sharedBudget = (ticker: HandTicker, roundTrip: () => number) => {
  let outageUntil = -1
  let closedUntil = 0
  const isAvailable = () => ticker.now() > outageUntil
  const ledger = { taken: 0, asked: 0 }
  const shared: Shared = {
    isAvailable,
    budget: {
      reserve: async (costs) => {
        ledger.asked++
        const ms = roundTrip()
        if (ms > 0) await pass(ticker, ms)
        if (!isAvailable()) throw new Error("away")
        const closed = Math.max(0, closedUntil - ticker.now())
        const taken = closed > 0 ? 0 : Math.min(costs.length, 1 + (ms % 3))
        ledger.taken += taken
        return { taken, wait: taken < costs.length ? Math.max(closed, 5 + ms) : 0, closed, tokensLeft: 1 }
      },
      correct: (requests) => {
        ledger.taken += requests
      },
      close: (ms) => {
        closedUntil = Math.max(closedUntil, ticker.now() + ms)
      }
    }
  }
  return {
    shared,
    ledger,
    outage: (ms: number) => {
      outageUntil = ticker.now() + ms
    }
  }
}

const run = async ({ late, limits, roundTrips, shared, steps }: Scenario): Promise<void> => {
  const lateness = cycle(late)
  const ticker = handTicker(200, lateness)
  const remote = sharedBudget(ticker, cycle(roundTrips))
  const account = Account.make(ticker, () => (shared ? remote.shared : undefined))
  const holders = [account.join(limits)]
  /** Waiting requests, and the entry since which each waits. */
  const waiting = new Map<string, Map<number, number>>()
  let entries = 0
  const closedUntil = new Map<string, number>()
  /** When requests were sent. */
  const sent: Array<{ readonly model: string; readonly at: number }> = []
  let unsettled = 0
  let sharedOut = 0
  const failures: Array<string> = []
  const must = (holds: boolean, what: string): void => {
    if (!holds) failures.push(`${what} at ${ticker.now()}`)
  }

  const agent = async (request: Request): Promise<void> => {
    const { abortsAfter, latency, maxRetryAfter, model, movable, timeout, tokens } = request
    const asked = demand(tokens)
    const controller = new AbortController()
    const cancel = abortsAfter === undefined ? undefined : ticker.after(abortsAfter, () => controller.abort())
    const waiter: Waiting = { signal: controller.signal, maxRetryAfter, timeout, movable, again: false }
    const line = waiting.get(model) ?? new Map<number, number>()
    waiting.set(model, line)
    for (let attempt = 0; ; attempt++) {
      const lane = account.lane(model)
      let permit: Permit | undefined = lane.tryEnter(asked)
      if (permit !== undefined) must(line.size === 0, `${asked.order} jumped the line`)
      else {
        const entry = ++entries
        line.set(asked.order, entry)
        try {
          permit = await lane.enter(asked, waiter)
        } finally {
          line.delete(asked.order)
        }
        if (permit === undefined) continue
        const { shared } = permit
        const older = [...line].filter(([other]) => other < asked.order)
        void turn().then(() => {
          for (const [other, itsEntry] of older) {
            // One for whom a shared budget is being asked goes before an older one who comes back meanwhile.
            const isExcused = shared && itsEntry > entry
            must(line.get(other) !== itsEntry || isExcused, `${asked.order} overtook ${other}`)
          }
        })
      }
      must(ticker.now() >= (closedUntil.get(model) ?? 0), `${asked.order} went through a closed gate`)
      must(lane.inFlight <= lane.concurrency, `${lane.inFlight} of ${lane.concurrency} in flight`)
      if (permit.shared) sharedOut++
      const end: End = request.ends[attempt] ?? reply(200)
      if (end.type !== "unsent") sent.push({ model, at: ticker.now() })
      await pass(ticker, latency[0])
      if (end.type === "unsent") {
        if (permit.shared) sharedOut--
        permit.refund()
      } else if (end.type === "answer") {
        // Retry-After of other statuses concerns that request alone.
        const seconds = end.status === 429 ? Number(end.headers["retry-after"] ?? 0) : 0
        const until = ticker.now() + (end.headers["x-ratelimit-reset-requests"] === undefined ? seconds * 1_000 : 700)
        closedUntil.set(model, Math.max(closedUntil.get(model) ?? 0, until))
        permit.answered(end.status, Object.entries(end.headers))
        if (end.status >= 400) permit.settle(0, undefined)
        await pass(ticker, latency[1])
        if (end.status === 401) account.refuse(permit, () => new TurnedAway("Authentication", "refused"))
        else if (end.status < 400) permit.settle(request.used, 10)
      }
      permit.leave()
      if (end.type === "answer" && end.status < 400) break
      await pass(ticker, 1)
    }
    cancel?.()
  }

  for (const step of steps) {
    await ticker.pass(step.pause)
    if (step.type === "request") {
      for (const request of step.requests) {
        unsettled++
        agent(request).then(
          () => unsettled--,
          (error: unknown) => {
            unsettled--
            const isExpected = error instanceof TurnedAway || (error instanceof Error && error.name === "AbortError")
            if (!isExpected) failures.push(String(error))
          }
        )
        // A request that may go at once gets its permit before the next comes.
        await settle()
      }
    } else if (step.type === "join") holders.push(account.join(step.limits))
    else if (step.type === "part") holders.splice(1, 1)[0]?.()
    else remote.outage(step.ms)
  }
  await ticker.pass(24 * 3_600_000)
  const isConstant = !shared && steps.every(({ type }) => type !== "join")
  for (const first of isConstant ? sent : []) {
    const within = sent.filter(({ at, model }) => model === first.model && at >= first.at && at < first.at + 60_000)
    must(within.length <= limits.requestsPerMinute + limits.burst - 1, `${within.length} from ${first.at} on`)
  }
  assert.deepStrictEqual(failures, [])
  const facts = {
    unsettled,
    lanes: account.stats().filter(({ inFlight, queued }) => inFlight !== 0 || queued !== 0),
    timers: ticker.timers(),
    ledger: remote.ledger.taken
  }
  assert.deepStrictEqual(facts, { unsettled: 0, lanes: [], timers: 0, ledger: sharedOut })

  // After any history it takes requests as before.
  for (const model of ["a", "b", "c"]) {
    for (let i = 0; i < 2; i++) {
      let permit: Permit | undefined
      void account
        .lane(model)
        .enter(demand(), { signal: undefined, maxRetryAfter: 0, timeout: Infinity, movable: false, again: false })
        .then((it) => {
          permit = it
        })
      await ticker.pass(60_000)
      permit!.answered(200, [])
      permit!.leave()
      await ticker.pass(60_000)
    }
    assert.isTrue(account.lane(model).gate.isOpen, "the gate opens again")
  }
  assert.isFalse(account.isRefused())
  assert.strictEqual(ticker.timers(), 0)
}

describe("an account", () => {
  it("settles all requests, in order and within its limits, whatever happens", async () => {
    await fc.assert(fc.asyncProperty(scenario, run), { numRuns: 200 })
  })
})
