import fc from "fast-check"
import { expect, test } from "vitest"
import { RequestQueue } from "../../src/internal/util/waitQueue.ts"

class Item {
  state: "queued" | "out" | "gone" = "queued"
  readonly order: number
  constructor(order: number) {
    this.order = order
  }
  isQueued(): boolean {
    return this.state === "queued"
  }
}

test("a queue takes the smallest order first, whatever is pushed, taken, put back, inserted and cancelled", () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constant("push" as const) },
    { weight: 3, arbitrary: fc.constant("take" as const) },
    { weight: 2, arbitrary: fc.constant("putBack" as const) },
    { weight: 2, arbitrary: fc.constant("insert" as const) },
    { weight: 2, arbitrary: fc.constant("giveUp" as const) }
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.nat()), { maxLength: 300, size: "max" }), (steps) => {
      const queue = new RequestQueue<Item>()
      const waiting: Array<Item> = []
      const out: Array<Item> = []
      let order = 0
      for (const [what, at] of steps) {
        if (what === "push") {
          const item = new Item(order++)
          waiting.push(item)
          queue.push(item)
        } else if (what === "take") {
          const first = waiting.toSorted((a, b) => a.order - b.order)[0]
          const item = queue.peek()
          expect(item).toBe(first)
          if (item === undefined) continue
          queue.shift()
          item.state = "out"
          waiting.splice(waiting.indexOf(item), 1)
          out.push(item)
        } else if (what === "putBack" && out.length > 0) {
          const [item] = out.splice(at % out.length, 1)
          if (item === undefined) continue
          item.state = "queued"
          waiting.push(item)
          queue.putBack(item)
        } else if (what === "insert") {
          // One from elsewhere, of any age.
          const item = new Item(at % 2 === 0 ? order++ : -1 / (1 + at) + (at % (order + 1)))
          if ([...waiting, ...out].some((other) => other.order === item.order)) continue
          waiting.push(item)
          queue.insert(item)
        } else if (what === "giveUp" && waiting.length > 0) {
          const [item] = waiting.splice(at % waiting.length, 1)
          if (item === undefined) continue
          item.state = "gone"
          queue.gaveUp()
        }
        expect(queue.size).toBe(waiting.length)
        if (at % 8 === 0) expect(queue.all()).toEqual(waiting.toSorted((a, b) => a.order - b.order))
      }
    })
  )
})

test("a queue drops cancelled waiters even if none is ever taken", () => {
  const queue = new RequestQueue<Item>()
  const first = new Item(0)
  queue.push(first)
  for (let i = 1; i <= 5_000; i++) {
    const item = new Item(i)
    queue.push(item)
    item.state = "gone"
    queue.gaveUp()
  }
  queue.push(new Item(5_001))
  expect(queue.size).toBe(2)
  expect(queue.peek()).toBe(first)
  queue.shift()
  expect(queue.peek()?.order).toBe(5_001)
})
