import fc from "fast-check"
import { expect, test } from "vitest"
import { TenantQueue } from "../../src/internal/transport/tenantQueue.ts"

class Item {
  state: "queued" | "out" | "gone" = "queued"
  readonly order: number
  readonly tenant: object | undefined
  constructor(order: number, tenant: object | undefined) {
    this.order = order
    this.tenant = tenant
  }
  isQueued(): boolean {
    return this.state === "queued"
  }
}

interface Turn {
  readonly tenant: object | undefined
  /** The number of its last turn, or of the last before it came. */
  readonly at: number
}

/** The same by sorting and searching. */
class Model {
  readonly waiting: Array<Item> = []
  readonly fresh: Array<Turn> = []
  readonly served: Array<Turn> = []
  wasFresh = false
  turns = 0

  of = (tenant: object | undefined) =>
    this.waiting.filter((item) => item.tenant === tenant).toSorted((a, b) => a.order - b.order)

  add(item: Item): void {
    const isKnown = [...this.fresh, ...this.served].some(({ tenant }) => tenant === item.tenant)
    if (!isKnown) this.fresh.push({ tenant: item.tenant, at: this.turns })
    this.waiting.push(item)
  }

  peek(): Item | undefined {
    while (this.served[0] !== undefined && this.of(this.served[0].tenant).length === 0) this.served.shift()
    const [fresh] = this.fresh
    const [served] = this.served
    const isServed = fresh === undefined || (this.wasFresh && served !== undefined && served.at < fresh.at)
    const next = isServed ? served : fresh
    return next === undefined ? undefined : this.of(next.tenant)[0]
  }

  take(): void {
    const item = this.peek()
    if (item === undefined) return
    this.waiting.splice(this.waiting.indexOf(item), 1)
    this.wasFresh = this.fresh[0]?.tenant === item.tenant && this.fresh.length > 0
    if (this.wasFresh) this.fresh.shift()
    else this.served.shift()
    this.turns++
    const isLast = this.fresh.length === 0 && this.served.length === 0
    if (!isLast || this.of(item.tenant).length > 0) this.served.push({ tenant: item.tenant, at: this.turns })
  }

  giveUp(item: Item): void {
    this.waiting.splice(this.waiting.indexOf(item), 1)
    const at = this.fresh.findIndex(({ tenant }) => tenant === item.tenant)
    if (at !== -1 && this.of(item.tenant).length === 0) this.fresh.splice(at, 1)
  }
}

const tenants = [undefined, {}, {}, {}, {}]

test("a queue of tenants serves the same as a model by sorting and searching, under any operations", () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.constant("push" as const) },
    { weight: 4, arbitrary: fc.constant("take" as const) },
    { weight: 2, arbitrary: fc.constant("putBack" as const) },
    { weight: 2, arbitrary: fc.constant("giveUp" as const) }
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.nat()), { maxLength: 300, size: "max" }), (steps) => {
      const queue = new TenantQueue<Item>()
      const model = new Model()
      const out: Array<Item> = []
      let order = 0
      for (const [what, at] of steps) {
        if (what === "push") {
          // The first tenants come most often.
          const item = new Item(order++, tenants[Math.min(at % 5, (at >> 3) % 5)])
          model.add(item)
          queue.push(item)
        } else if (what === "take") {
          const item = queue.peek()
          expect(item).toBe(model.peek())
          if (item === undefined) continue
          model.take()
          queue.shift()
          item.state = "out"
          out.push(item)
        } else if (what === "putBack" && out.length > 0) {
          const [item] = out.splice(at % out.length, 1)
          if (item === undefined) continue
          item.state = "queued"
          model.add(item)
          queue.putBack(item)
        } else if (what === "giveUp" && model.waiting.length > 0) {
          const item = model.waiting[at % model.waiting.length]!
          item.state = "gone"
          model.giveUp(item)
          queue.gaveUp(item)
        }
        const sorted = model.waiting.toSorted((a, b) => a.order - b.order)
        expect(queue.size).toBe(sorted.length)
        expect(queue.oldest()).toBe(sorted[0])
        if (at % 8 !== 0) continue
        expect(queue.all()).toEqual(sorted)
        const first = queue.first(at % 7)
        expect(new Set(first).size).toBe(Math.min(at % 7, sorted.length))
        expect(first.every((item) => sorted.includes(item))).toBe(true)
      }
    })
  )
})

const taken = (queue: TenantQueue<Item>, most: number): Array<number> =>
  Array.from({ length: most }, () => {
    const item = queue.peek()
    if (item !== undefined) {
      item.state = "out"
      queue.shift()
    }
    return item?.order ?? -1
  })

test("tenants with a backlog take turns, and a newcomer goes next", () => {
  const queue = new TenantQueue<Item>()
  const [a, b, c] = [{}, {}, {}]
  for (let i = 0; i < 10; i++) queue.push(new Item(i, a))
  for (let i = 10; i < 20; i++) queue.push(new Item(i, b))
  expect(taken(queue, 4)).toEqual([0, 10, 1, 11])
  queue.push(new Item(20, c))
  queue.push(new Item(21, c))
  expect(taken(queue, 6)).toEqual([20, 2, 12, 21, 3, 13])
})

test("newcomers go before the second turn of tenants that came with them", () => {
  const queue = new TenantQueue<Item>()
  for (let i = 0; i < 10; i++) queue.push(new Item(i, undefined))
  taken(queue, 2)
  for (let i = 10; i < 20; i++) queue.push(new Item(i, tenants[1 + (i % 4)]))
  expect(taken(queue, 9)).toEqual([10, 11, 12, 13, 2, 14, 15, 16, 17])
})

test("a stream of newcomers as wide as all sockets leaves a backlog some turns", () => {
  const queue = new TenantQueue<Item>()
  for (let i = 0; i < 10; i++) queue.push(new Item(i, tenants[1]))
  taken(queue, 1)
  const orders: Array<number> = []
  for (let i = 100; i < 110; i++) {
    queue.push(new Item(i, {}))
    queue.push(new Item(i + 100, {}))
    orders.push(...taken(queue, 2))
  }
  expect(orders.filter((order) => order < 10).length).toBeGreaterThan(3)
})

test("tenants that come, cancel and go leave nothing behind, be the queue stuck", () => {
  const queue = new TenantQueue<Item>()
  const stuck = new Item(0, undefined)
  queue.push(stuck)
  const gone: Array<WeakRef<object>> = []
  for (let i = 1; i <= 2_000; i++) {
    const item = new Item(i, {})
    gone.push(new WeakRef(item.tenant!))
    queue.push(item)
    item.state = "gone"
    queue.gaveUp(item)
  }
  return new Promise((resolve) => setTimeout(resolve, 0)).then(() => {
    globalThis.gc?.()
    expect(gone.filter((tenant) => tenant.deref() !== undefined).length).toBeLessThan(10)
    expect(queue.peek()).toBe(stuck)
  })
})
