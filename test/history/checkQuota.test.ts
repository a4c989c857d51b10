/** The checkers of quotas against histories written by hand: the good one passes, each bad one breaks its rule. */
import { assert, describe, it } from "vitest"
import { checkBudget } from "./checkBudget.ts"
import { checkTurns } from "./checkTurns.ts"
import { Recorder } from "./history.ts"
import type { QuotaCall, QuotaDetail, QuotaLimits } from "./quotaHistory.ts"

const limits: QuotaLimits = {
  requests: Infinity,
  tokens: Infinity,
  burst: 1,
  concurrency: Infinity,
  least: Infinity,
  waiters: Infinity
}

type Asking = Partial<Omit<Extract<QuotaCall, { readonly f: "enter" }>, "f">>

/** Writes histories in few words. */
class Pen extends Recorder<QuotaCall, QuotaDetail> {
  readonly time: { ms: number }
  #orders = 0
  constructor(time = { ms: 0 }) {
    super(() => time.ms)
    this.time = time
  }
  limits(some: Partial<QuotaLimits>): void {
    this.did({ f: "join", holder: 1, limits: { ...limits, ...some } }, {})
  }
  asks(asking: Asking = {}): number {
    const order = ++this.#orders
    const patient = { movable: false, again: false, maxRetryAfter: Infinity, timeout: Infinity }
    return this.invoke({ f: "enter", model: "m", order, tokens: 0, ...patient, ...asking })
  }
  gets(enter: number, tokens = 0, shared = false): void {
    this.ok(enter, { permit: { tokens, shared, at: this.time.ms } })
  }
  goes(tokens = 0, asking: Asking = {}): number {
    const enter = this.asks({ tokens, ...asking })
    this.gets(enter, tokens)
    return enter
  }
  fails(enter: number, reason: string): void {
    this.fail(enter, { reason })
  }
  closes(permit: number, ms: number): void {
    this.did({ f: "answer", permit, status: 429, closes: ms }, {})
  }
  refunds(permit: number): void {
    this.did({ f: "refund", permit }, {})
  }
  settles(permit: number, tokens: number): void {
    this.did({ f: "settle", permit, tokens }, {})
  }
  leaves(permit: number): void {
    this.did({ f: "leave", permit }, {})
  }
  reserves(taken: number, ...costs: ReadonlyArray<number>): void {
    this.did({ f: "reserve", model: "m", costs }, { taken })
  }
  looks(inFlight: number, queued: number, tokensLeft = Infinity): void {
    this.did({ f: "look", models: [{ model: "m", inFlight, queued, tokensLeft }] }, {})
  }
  quiet(): void {
    this.did({ f: "quiet" }, {})
  }
}

const broken = (write: (pen: Pen) => void): ReadonlyArray<string> => {
  const pen = new Pen()
  write(pen)
  const violations = [...checkBudget(pen.entries), ...checkTurns(pen.entries)]
  return [...new Set(violations.map(({ rule }) => rule))].sort()
}

interface Bad {
  readonly rules: ReadonlyArray<string>
  readonly write: (pen: Pen) => void
}

const rates = ["within requests and tokens a minute"]
const settled = ["reserved is settled or refunded"]
const lost = ["all settle in the end", "no wakeup is lost"]
const cause = ["turned away for cause"]

const bad: Readonly<Record<string, Bad>> = {
  "a second request before a second is over, of sixty a minute": {
    rules: rates,
    write: (pen) => {
      pen.limits({ requests: 60 })
      pen.goes()
      pen.time.ms = 999
      pen.goes()
    }
  },
  "a third at once, of bursts of two": {
    rules: rates,
    write: (pen) => {
      pen.limits({ requests: 60, burst: 2 })
      pen.goes()
      pen.goes()
      pen.goes()
    }
  },
  "more tokens than the time has earned": {
    rules: rates,
    write: (pen) => {
      pen.limits({ tokens: 60_000 })
      pen.goes(5_000)
      pen.time.ms = 4_999
      pen.goes(1)
    }
  },
  "tokens as if more had been given back than was": {
    rules: rates,
    write: (pen) => {
      pen.limits({ tokens: 60_000 })
      pen.settles(pen.goes(5_000), 4_000)
      pen.time.ms = 3_999
      pen.goes(1)
    }
  },
  "one more in flight than there may be": {
    rules: ["within concurrency"],
    write: (pen) => {
      pen.limits({ concurrency: 1 })
      pen.goes()
      pen.goes()
    }
  },
  "a budget that forgets what was settled": {
    rules: settled,
    write: (pen) => {
      pen.limits({ tokens: 60_000 })
      pen.settles(pen.goes(5_000), 4_000)
      pen.looks(1, 0, 55_000)
    }
  },
  "a budget that counts a refund twice": {
    rules: settled,
    write: (pen) => {
      pen.limits({ tokens: 60_000 })
      pen.refunds(pen.goes(5_000))
      pen.goes(2_000)
      pen.looks(2, 0, 60_000)
    }
  },
  "a shared budget that keeps what nobody used": {
    rules: settled,
    write: (pen) => {
      pen.fails(pen.asks({ timeout: 0 }), "QueueTimeout")
      pen.reserves(1, 10)
      pen.quiet()
    }
  },
  "a shared budget that is given back twice": {
    rules: settled,
    write: (pen) => {
      const enter = pen.asks()
      pen.reserves(1, 10)
      pen.gets(enter, 10, true)
      pen.refunds(enter)
      for (const _ of [1, 2]) pen.did({ f: "correct", model: "m", requests: -1, tokens: -10 }, {})
      pen.quiet()
    }
  },
  "one who waits while there is room": {
    rules: lost,
    write: (pen) => {
      pen.limits({ concurrency: 1, least: 1 })
      const first = pen.goes()
      pen.asks()
      pen.leaves(first)
      pen.quiet()
    }
  },
  "one who waits while there is budget": {
    rules: lost,
    write: (pen) => {
      pen.limits({ requests: 60 })
      pen.goes()
      pen.asks()
      pen.time.ms = 1_000
      pen.quiet()
    }
  },
  "one who waits longer than it would": {
    rules: lost,
    write: (pen) => {
      pen.limits({ concurrency: 1, least: 1 })
      pen.goes()
      pen.asks({ timeout: 100 })
      pen.time.ms = 101
      pen.quiet()
    }
  },
  "one who has given up and still waits": {
    rules: lost,
    write: (pen) => {
      pen.limits({ concurrency: 1, least: 1 })
      pen.goes()
      pen.did({ f: "abort", of: pen.asks() }, {})
      pen.quiet()
    }
  },
  "one who waits for a gate that is closed for longer than it would": {
    rules: lost,
    write: (pen) => {
      pen.limits({ concurrency: 1, least: 1 })
      const first = pen.goes()
      pen.asks({ maxRetryAfter: 500 })
      pen.closes(first, 1_000)
      pen.quiet()
    }
  },
  "counts that are off by one": {
    rules: ["permits are counted"],
    write: (pen) => {
      pen.goes()
      pen.looks(2, 0)
    }
  },
  "one who passes a closed gate": {
    rules: ["nobody passes a closed gate"],
    write: (pen) => {
      pen.closes(pen.goes(), 1_000)
      pen.time.ms = 999
      pen.goes()
    }
  },
  "one who overtakes": {
    rules: ["first come, first served"],
    write: (pen) => {
      const first = pen.asks()
      pen.goes()
      pen.gets(first)
    }
  },
  "a line that is longer than it may be": {
    rules: ["no more wait than may"],
    write: (pen) => {
      pen.limits({ waiters: 1 })
      const [first, second] = [pen.asks(), pen.asks()]
      pen.gets(first)
      pen.gets(second)
    }
  },
  "one who is turned away from a line with room": {
    rules: cause,
    write: (pen) => {
      pen.limits({ waiters: 1 })
      pen.fails(pen.asks(), "Capacity")
    }
  },
  "one who is told to move for nothing": {
    rules: cause,
    write: (pen) => pen.ok(pen.asks({ movable: true }), {})
  },
  "an abort by nobody": {
    rules: cause,
    write: (pen) => pen.fails(pen.asks(), "aborted")
  },
  "a timeout before its time": {
    rules: cause,
    write: (pen) => {
      const enter = pen.asks({ timeout: 100 })
      pen.time.ms = 99
      pen.fails(enter, "QueueTimeout")
    }
  },
  "a rate limit where no gate is closed": {
    rules: cause,
    write: (pen) => pen.fails(pen.asks({ maxRetryAfter: 0 }), "RateLimited")
  },
  "a refused key that nobody refused": {
    rules: cause,
    write: (pen) => pen.fails(pen.asks(), "Authentication")
  },
  "an operation that ends twice": {
    rules: ["each operation ends once"],
    write: (pen) => pen.ok(pen.did({ f: "quiet" }, {}), {})
  }
}

describe("the checkers of quotas", () => {
  it("pass a history in which all is well", () => {
    const rules = broken((pen) => {
      pen.limits({ requests: 60, tokens: 60_000, concurrency: 2, least: 2, waiters: 2 })
      const first = pen.goes(2_000)
      const second = pen.asks({ tokens: 1_000 })
      const third = pen.asks({ timeout: 1_500 })
      pen.fails(pen.asks(), "Capacity")
      pen.looks(1, 2, 58_000)
      pen.quiet()
      pen.settles(first, 1_000)
      pen.settles(first, 5)
      pen.time.ms = 1_000
      pen.gets(second, 1_000)
      pen.looks(2, 1, 59_000)
      pen.refunds(second)
      pen.looks(2, 1, 60_000)
      pen.time.ms = 1_500
      pen.fails(third, "QueueTimeout")
      pen.closes(first, 5_000)
      pen.leaves(first)
      pen.leaves(second)
      pen.fails(pen.asks({ maxRetryAfter: 4_000 }), "RateLimited")
      const moved = pen.asks({ movable: true })
      pen.ok(moved, {})
      const gone = pen.asks()
      pen.did({ f: "abort", of: gone }, {})
      pen.fails(gone, "aborted")
      const probe = pen.asks()
      const next = pen.asks()
      pen.quiet()
      pen.time.ms = 6_500
      pen.gets(probe)
      pen.quiet()
      pen.did({ f: "refuse", permit: probe }, {})
      pen.fails(next, "Authentication")
      pen.leaves(probe)
      pen.looks(0, 0, 60_000)
    })
    assert.deepStrictEqual(rules, [])
  })

  it("pass one of a shared budget", () => {
    const rules = broken((pen) => {
      const [first, second, third] = [pen.asks(), pen.asks(), pen.asks({ timeout: 0 })]
      pen.reserves(3, 10, 20, 30)
      pen.fails(third, "QueueTimeout")
      pen.did({ f: "correct", model: "m", requests: -1, tokens: -30 }, {})
      pen.gets(second, 20, true)
      pen.gets(first, 10, true)
      pen.settles(first, 15)
      pen.did({ f: "correct", model: "m", requests: 0, tokens: 5 }, {})
      pen.quiet()
    })
    assert.deepStrictEqual(rules, [])
  })

  for (const [name, { rules, write }] of Object.entries(bad)) {
    it(`reject ${name}`, () => assert.deepStrictEqual(broken(write), rules))
  }
})
