/** The checkers of leases against histories written by hand: the good one passes, each bad one breaks its rule. */
import { assert, describe, it } from "vitest"
import { checkValues } from "./checkValues.ts"
import { checkWaits } from "./checkWaits.ts"
import { Recorder } from "./history.ts"
import type { LeaseCall, LeaseDetail, LeaseSetup } from "./leaseHistory.ts"

/** Writes histories in few words. */
class Pen extends Recorder<LeaseCall, LeaseDetail> {
  readonly time: { ms: number }
  constructor(time = { ms: 0 }) {
    super(() => time.ms)
    this.time = time
  }
  build(value: number, key = "a"): void {
    const op = this.invoke({ f: "build", key, value, world: "maker" })
    this.did({ f: "acquire", value }, {})
    this.ok(op, {})
  }
  get(value: number, key = "a"): number {
    return this.did({ f: "get", key }, { value })
  }
  /** A get that builds. */
  first(value: number, key = "a"): number {
    const op = this.invoke({ f: "get", key })
    this.build(value, key)
    this.ok(op, { value })
    return op
  }
  end(of: number): void {
    this.did({ f: "end", of }, {})
  }
  release(value: number): void {
    this.did({ f: "release", value }, {})
  }
  invalidate(key = "a"): void {
    this.did({ f: "invalidate", key }, {})
  }
  quiet(): void {
    this.did({ f: "quiet" }, {})
  }
  close(...values: ReadonlyArray<number>): void {
    const op = this.invoke({ f: "close" })
    for (const value of values) this.release(value)
    this.ok(op, {})
    this.quiet()
  }
}

const roomy: LeaseSetup = { idleTimeToLive: 10, capacity: Infinity, maxEntries: Infinity, acquireTimeout: 0 }

const broken = (write: (pen: Pen) => void, setup: Partial<LeaseSetup> = {}): ReadonlyArray<string> => {
  const pen = new Pen()
  write(pen)
  const all = { ...roomy, ...setup }
  const violations = [...checkValues(pen.entries, all), ...checkWaits(pen.entries, all)]
  return [...new Set(violations.map(({ rule }) => rule))].sort()
}

interface Bad {
  readonly rules: ReadonlyArray<string>
  readonly setup?: Partial<LeaseSetup>
  readonly write: (pen: Pen) => void
}

const bad: Readonly<Record<string, Bad>> = {
  "two builds of one key for two who ask at once": {
    rules: ["one live value a key"],
    write: (pen) => {
      const one = pen.invoke({ f: "get", key: "a" })
      const other = pen.invoke({ f: "get", key: "a" })
      pen.build(1)
      pen.build(2)
      pen.ok(one, { value: 1 })
      pen.ok(other, { value: 2 })
      pen.close(1, 2)
    }
  },
  "a value that outlives the map": {
    rules: ["released exactly once"],
    write: (pen) => {
      pen.first(1)
      pen.close()
    }
  },
  "a close that waits for one finalizer before it begins the next": {
    rules: ["closing releases all at once"],
    write: (pen) => {
      pen.first(1, "a")
      pen.first(2, "b")
      const close = pen.invoke({ f: "close" })
      const release = pen.invoke({ f: "release", value: 1 })
      pen.quiet()
      pen.ok(release, {})
      pen.release(2)
      pen.ok(close, {})
    }
  },
  "a value released twice": {
    rules: ["released exactly once"],
    write: (pen) => {
      pen.first(1)
      pen.close(1, 1)
    }
  },
  "a finalizer that never ends": {
    rules: ["released exactly once"],
    write: (pen) => {
      pen.first(1)
      const close = pen.invoke({ f: "close" })
      pen.invoke({ f: "release", value: 1 })
      pen.ok(close, {})
    }
  },
  "a release under a lease": {
    rules: ["never released while leased"],
    write: (pen) => {
      const get = pen.first(1)
      pen.time.ms = 100
      pen.invalidate()
      pen.release(1)
      pen.end(get)
      pen.close()
    }
  },
  "a release under the lease of a handle": {
    rules: ["never released while leased"],
    write: (pen) => {
      const get = pen.first(1)
      const retained = pen.did({ f: "retain", value: 1 }, {})
      pen.end(get)
      pen.invalidate()
      pen.release(1)
      pen.end(retained)
      pen.close()
    }
  },
  "a lease of what was released": {
    rules: ["nothing released is lent"],
    write: (pen) => {
      pen.end(pen.first(1))
      pen.time.ms = 10
      pen.release(1)
      pen.end(pen.get(1))
      pen.close()
    }
  },
  "a lease of what was invalidated": {
    rules: ["nothing invalidated is lent"],
    write: (pen) => {
      const get = pen.first(1)
      pen.invalidate()
      pen.end(pen.get(1))
      pen.end(get)
      pen.release(1)
      pen.close()
    }
  },
  "a build after the end": {
    rules: ["a closed map builds nothing"],
    write: (pen) => {
      pen.close()
      pen.build(1)
      pen.release(1)
    }
  },
  "a build that sees the caller's context": {
    rules: ["a build sees the maker's world"],
    write: (pen) => {
      const get = pen.invoke({ f: "get", key: "a" })
      const build = pen.invoke({ f: "build", key: "a", value: 1, world: "caller" })
      pen.fail(build, { reason: "build" })
      pen.fail(get, { reason: "build", value: 1 })
      pen.close()
    }
  },
  "an idle time cut short": {
    rules: ["not released before its time"],
    write: (pen) => {
      pen.end(pen.first(1))
      pen.time.ms = 9
      pen.release(1)
      pen.close()
    }
  },
  "an idle time overstayed": {
    rules: ["released in time"],
    write: (pen) => {
      pen.end(pen.first(1))
      pen.time.ms = 10
      pen.quiet()
      pen.close(1)
    }
  },
  "a value that stays although it was invalidated and given back": {
    rules: ["released in time"],
    setup: { idleTimeToLive: Infinity },
    write: (pen) => {
      const get = pen.first(1)
      pen.invalidate()
      pen.end(get)
      pen.quiet()
      pen.close(1)
    }
  },
  "a value that was built for nobody, and stays": {
    rules: ["released in time"],
    setup: { idleTimeToLive: Infinity },
    write: (pen) => {
      const get = pen.invoke({ f: "get", key: "a" })
      const build = pen.invoke({ f: "build", key: "a", value: 1, world: "maker" })
      pen.did({ f: "interrupt", of: get }, {})
      pen.unknown(get)
      pen.did({ f: "acquire", value: 1 }, {})
      pen.ok(build, {})
      pen.quiet()
      pen.close(1)
    }
  },
  "an idle value beyond capacity": {
    rules: ["no more than capacity"],
    setup: { capacity: 0 },
    write: (pen) => {
      pen.end(pen.first(1))
      pen.quiet()
      pen.close(1)
    }
  },
  "more leased than there may be": {
    rules: ["no more than maxEntries"],
    setup: { maxEntries: 1 },
    write: (pen) => {
      pen.first(1, "a")
      pen.first(2, "b")
      pen.close(1, 2)
    }
  },
  "a count that forgets a lease": {
    rules: ["leases are counted"],
    write: (pen) => {
      pen.first(1)
      pen.get(1)
      pen.did({ f: "look", leases: [[1, 1]] }, {})
      pen.close(1)
    }
  },
  "one who waits for a build that is over": {
    rules: ["all settle in the end", "no wakeup is lost"],
    write: (pen) => {
      pen.invoke({ f: "get", key: "a" })
      pen.build(1)
      pen.quiet()
      pen.close(1)
    }
  },
  "one who waits for room that is there": {
    rules: ["all settle in the end", "no wakeup is lost"],
    setup: { acquireTimeout: Infinity, maxEntries: 1 },
    write: (pen) => {
      pen.end(pen.first(1, "a"))
      pen.invoke({ f: "get", key: "b" })
      pen.quiet()
      pen.close(1)
    }
  },
  "an end that waits for a release that is over": {
    rules: ["all settle in the end", "no wakeup is lost"],
    setup: { idleTimeToLive: 0 },
    write: (pen) => {
      const get = pen.first(1)
      pen.invoke({ f: "end", of: get })
      pen.release(1)
      pen.quiet()
      pen.close()
    }
  },
  "a close that never ends": {
    rules: ["all settle in the end", "no wakeup is lost"],
    write: (pen) => {
      pen.invoke({ f: "close" })
      pen.quiet()
    }
  },
  "a failure that outlives its build": {
    rules: ["a failure is not remembered"],
    write: (pen) => {
      const get = pen.invoke({ f: "get", key: "a" })
      const build = pen.invoke({ f: "build", key: "a", value: 1, world: "maker" })
      pen.fail(build, { reason: "build" })
      pen.fail(get, { reason: "build", value: 1 })
      pen.quiet()
      pen.fail(pen.invoke({ f: "get", key: "a" }), { reason: "build", value: 1 })
      pen.close()
    }
  },
  "a refusal at capacity, which refuses nobody": {
    rules: ["refused for cause"],
    setup: { capacity: 0 },
    write: (pen) => {
      pen.fail(pen.invoke({ f: "get", key: "a" }), { reason: "Capacity" })
      pen.close()
    }
  },
  "a refusal for want of room beside an idle value": {
    rules: ["refused for cause"],
    setup: { maxEntries: 1 },
    write: (pen) => {
      pen.end(pen.first(1, "a"))
      pen.quiet()
      pen.fail(pen.invoke({ f: "get", key: "b" }), { reason: "Capacity" })
      pen.close(1)
    }
  },
  "a refusal as closed by an open map": {
    rules: ["refused for cause"],
    write: (pen) => {
      pen.fail(pen.invoke({ f: "get", key: "a" }), { reason: "Closed" })
      pen.close()
    }
  },
  "an interruption by nobody": {
    rules: ["nobody is interrupted by the map"],
    write: (pen) => {
      pen.close()
      pen.unknown(pen.invoke({ f: "get", key: "a" }))
    }
  },
  "an end that fails with the finalizer": {
    rules: ["giving back never fails"],
    setup: { idleTimeToLive: 0 },
    write: (pen) => {
      const end = pen.invoke({ f: "end", of: pen.first(1) })
      pen.release(1)
      pen.fail(end, { reason: "other" })
      pen.close()
    }
  },
  "an operation that ends twice": {
    rules: ["each operation ends once"],
    write: (pen) => {
      pen.ok(pen.did({ f: "invalidate", key: "a" }, {}), {})
      pen.close()
    }
  }
}

describe("the checkers of leases", () => {
  it("pass a history in which all is well", () => {
    const rules = broken(
      (pen) => {
        const one = pen.first(1)
        const other = pen.get(1)
        pen.did({ f: "look", leases: [[1, 2]] }, {})
        pen.invalidate()
        const third = pen.first(2)
        pen.end(one)
        pen.end(other)
        pen.release(1)
        pen.end(third)
        pen.quiet()
        pen.time.ms = 10
        pen.release(2)
        pen.quiet()
        const waiting = pen.invoke({ f: "get", key: "b" })
        const build = pen.invoke({ f: "build", key: "b", value: 3, world: "maker" })
        pen.quiet()
        pen.did({ f: "interrupt", of: waiting }, {})
        pen.unknown(waiting)
        pen.unknown(build)
        pen.first(4)
        pen.close(4)
        pen.fail(pen.invoke({ f: "get", key: "a" }), { reason: "Closed" })
      },
      { maxEntries: 2, capacity: 1 }
    )
    assert.deepStrictEqual(rules, [])
  })

  for (const [name, { rules, setup, write }] of Object.entries(bad)) {
    it(`reject ${name}`, () => assert.deepStrictEqual(broken(write, setup), rules))
  }
})
