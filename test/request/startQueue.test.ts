/** The line of agents that have not started, in front of a pool and a quota under control. */
import { assert, describe, it } from "vitest"
import { WireError } from "../../src/internal/wire/errors.ts"
import { type Start, type Starter, StartQueue, startQueueOf } from "../../src/internal/request/startQueue.ts"
import { nextOrder } from "../../src/internal/quota/demand.ts"
import { TurnedAway } from "../../src/internal/quota/turnedAway.ts"
import { handTicker, settle } from "../support/handTicker.ts"

const bounds = { origin: "https://example.com", maxQueue: Infinity, maxWaiters: Infinity }
/** More than may wait for a socket at once. */
const CROWD = 200

const setup = (queue?: StartQueue) => {
  const ticker = handTicker()
  const starts = queue ?? new StartQueue(ticker, { waiting: 0, lined: 0 })
  const started: Array<string> = []
  const failed: Array<string> = []
  const agent = (name: string, owner: object = starts) => {
    const starter: Starter = {
      owner,
      order: nextOrder(),
      since: ticker.now(),
      isAgent: true,
      isWaiting: false,
      waitsFor: "socket",
      isQueued: () => starter.isWaiting,
      start: (start: Start) => {
        started.push(name)
        send(start)
      },
      fail: () => failed.push(name)
    }
    return starter
  }
  /** Its request waits for a socket. */
  let send = (start: Start): void => {
    start.end()
    starts.forSocket(1)
  }
  const come = (name: string, owner?: object): Starter => {
    const one = agent(name, owner)
    if (starts.isBusy()) assert.isUndefined(starts.join(one, bounds))
    else one.start(starts.begin(one.order))
    return one
  }
  return {
    ticker,
    starts,
    started,
    failed,
    agent,
    come,
    crowd: () => Array.from({ length: CROWD }, (_, i) => come(String(i))),
    /** From now on. */
    sends: (f: (start: Start) => void) => {
      send = f
    }
  }
}

const lost = new WireError("Connection", "no", "refused")

/** Requests wait for the quota of one model. */
const held = (queue?: StartQueue) => {
  const all = setup(queue)
  all.starts.sees("one")
  all.sends((start) => {
    start.end()
    all.starts.forQuota(1)
  })
  return all
}

describe("the line of agents", () => {
  it("lets one start for each that gets its socket, in their order, without those who have left", async () => {
    const { crowd, started, starts } = setup()
    const all = crowd()
    const first = started.length
    assert.isBelow(first, CROWD)
    starts.leave(all[first]!)
    starts.sent()
    starts.sent()
    await settle()
    assert.deepStrictEqual(started.slice(first), [String(first + 1), String(first + 2)])
    assert.strictEqual(starts.size, CROWD - first - 3)
  })

  it("counts callbacks that send nothing for one turn of the event loop", async () => {
    const { crowd, sends, started } = setup()
    sends(() => undefined)
    crowd()
    assert.isBelow(started.length, CROWD)
    for (let i = 0; i < 10; i++) await settle()
    assert.strictEqual(started.length, CROWD)
  })

  it("holds nobody up while connections fail", async () => {
    const { crowd, started, starts } = setup()
    crowd()
    const first = started.length
    starts.unsent(lost)
    for (let i = 0; i < 10; i++) await settle()
    assert.strictEqual(started.length, CROWD)
    starts.sent()
    assert.isTrue(starts.isBusy())
    assert.isAbove(CROWD, first)
  })

  it("goes on when a waiting request was aborted, which says nothing of the others", async () => {
    const { crowd, started, starts } = setup()
    crowd()
    const first = started.length
    starts.unsent(new WireError("Aborted", "no", "aborted"))
    await settle()
    assert.strictEqual(started.length, first + 1)
  })

  it("lets fewer of each tenant wait where tenants are many", () => {
    const ticker = handTicker()
    const pool = {}
    const counts = Array.from({ length: 100 }, () => {
      const { crowd, started } = setup(startQueueOf(pool, {}, ticker))
      crowd()
      return started.length
    })
    assert.isBelow(counts.at(-1)!, counts[0]! / 2)
    assert.isAbove(counts.at(-1)!, 0)
  })

  it("fails the agents of a client that closes, and those alone", () => {
    const { come, crowd, failed, starts } = setup()
    crowd()
    const owner = {}
    come("closing", owner)
    starts.close(owner, new Error("closed"))
    assert.deepStrictEqual(failed, ["closing"])
  })

  it("refuses one more than may wait", () => {
    const { crowd, starts, ticker } = setup()
    crowd()
    const one = { ...bounds, maxQueue: CROWD }
    const starter = { isWaiting: false, isAgent: true, since: ticker.now(), order: nextOrder() } as Starter
    const refusal = starts.join(starter, one)
    assert.propertyVal(refusal, "reason", "Capacity")
    assert.include(refusal!.message, `maxQueue (${CROWD})`)
  })
})

describe("a quota that lets nobody go", () => {
  it("leaves other tenants their places in the line for a socket", () => {
    const ticker = handTicker()
    const pool = {}
    const first = held(startQueueOf(pool, {}, ticker))
    first.crowd()
    const { crowd, starts } = setup(startQueueOf(pool, {}, ticker))
    crowd()
    const starter = { isWaiting: false, isAgent: true, since: ticker.now(), order: nextOrder() } as Starter
    assert.isUndefined(starts.join(starter, { ...bounds, maxQueue: CROWD + 100 }))
  })

  it("starts an agent past its bound, as only the callback tells the model", () => {
    const { agent, crowd, started, starts } = held()
    crowd()
    assert.isUndefined(starts.join(agent("past"), { ...bounds, maxWaiters: CROWD }))
    assert.strictEqual(started.at(-1), "past")
    const request = { isWaiting: false, isAgent: false, order: nextOrder() } as Starter
    assert.instanceOf(starts.join(request, { ...bounds, maxWaiters: CROWD }), TurnedAway)
  })

  it("keeps agents from starting, but for the latest from time to time, whose model may be another", async () => {
    const { crowd, started, ticker } = held()
    crowd()
    const first = started.length
    await ticker.pass(120)
    assert.deepStrictEqual(started.slice(first), [String(CROWD - 1), String(CROWD - 2)])
  })

  it("keeps none from starting once two models are in use, and does so again when one has long been alone", async () => {
    const { crowd, started, starts, ticker } = held()
    crowd()
    starts.sees("another")
    for (let i = 0; i < 10; i++) await settle()
    assert.strictEqual(started.length, CROWD)
    await ticker.pass(600_001)
    crowd()
    assert.strictEqual(started.length, CROWD)
  })

  it("has no timer once nobody stands in line", async () => {
    const { crowd, starts, ticker } = held()
    for (const starter of crowd()) if (starter.isWaiting) starts.leave(starter)
    await settle()
    assert.strictEqual(ticker.timers(), 0)
  })
})
