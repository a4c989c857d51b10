import { assert, describe, it } from "vitest"
import { ConcurrencyLimit } from "../../src/internal/batch/concurrency.ts"

/** Layers below with room for `capacity` requests, which are answered after `latencyMs`. */
const settledLimit = (capacity: number, latencyMs: number, ticks = 400): number => {
  const limit = new ConcurrencyLimit("auto")
  let ended = 0
  for (let tick = 1; tick <= ticks; tick++) {
    const running = limit.limit
    const queued = Math.max(0, running - capacity)
    ended += (Math.min(running, capacity) * 100) / latencyMs
    limit.adapt({ now: tick * 100, running, queued, ended: Math.floor(ended) })
  }
  return limit.limit
}

describe("concurrency auto", () => {
  for (const capacity of [10, 256, 1_000]) {
    it(`fills ${capacity} slots below, with at most a quarter and a reserve waiting`, () => {
      const limit = settledLimit(capacity, 500)
      assert.isAtLeast(limit, capacity)
      assert.isAtMost(limit, Math.ceil(capacity * 1.25) + 9)
    })
  }

  it("grows where nothing waits, up to a bound", () => {
    assert.strictEqual(settledLimit(Infinity, 500), 4_096)
  })

  it("stays where its rows do not use it", () => {
    const limit = new ConcurrencyLimit("auto")
    for (let tick = 1; tick < 100; tick++) limit.adapt({ now: tick * 100, running: 5, queued: 0, ended: tick * 100 })
    assert.strictEqual(limit.limit, 32)
  })

  it("is left alone where it is a number", () => {
    const limit = new ConcurrencyLimit(7)
    limit.adapt({ now: 5_000, running: 7, queued: 7, ended: 0 })
    assert.strictEqual(limit.limit, 7)
  })
})
