import { expect, test } from "vitest"
import { Neighbours } from "../../src/internal/transport/neighbours.ts"
import { defer, until } from "./harness.ts"

/** A thread that holds so many sockets, of which so many are idle. */
const thread = (held: number, idle: number) => {
  const of = { held, idle, closed: 0 }
  const neighbours = new Neighbours()
  neighbours.listen({
    held: () => of.held,
    idleSince: () => (of.idle > 0 ? 1 : undefined),
    closeIdle: () => {
      of.idle--
      of.held--
      of.closed++
    },
    offer: () => false
  })
  defer(() => neighbours.stop())
  return { neighbours, of }
}

test("a thread with more sockets than another closes idle ones, then yields busy ones, and opens none", async () => {
  const [rich, poor] = [thread(12, 2), thread(1, 0)]
  poor.neighbours.ask(1)
  await until(() => rich.of.closed === 2)
  expect(rich.neighbours.mustYield(10, 0)).toBe(true)
  expect(rich.neighbours.comesFirst(10)).toBe(true)
  expect(rich.neighbours.waitSince()).toBeDefined()
  // Half of the difference, less those that were idle.
  for (let i = 0; i < 3; i++) rich.neighbours.yielded()
  expect(rich.neighbours.mustYield(10, 0)).toBe(false)
  await until(() => !rich.neighbours.comesFirst(10))
})

test("a thread yields nothing to one with about as many sockets, and is registered from then on", async () => {
  const [rich, other] = [thread(12, 2), thread(10, 0)]
  other.neighbours.ask(10)
  await until(() => rich.neighbours.isKnown)
  expect(rich.of.closed).toBe(0)
  expect(rich.neighbours.mustYield(12, 0)).toBe(false)
})

test("a thread without sockets gets messages from threads that hold some", async () => {
  const [, poor] = [thread(3, 0), thread(0, 0)]
  poor.neighbours.ask(0)
  await until(() => poor.neighbours.heldUntil > performance.now())
})

test("a message of another kind is ignored", async () => {
  const it = thread(3, 3)
  const channel = new BroadcastChannel("clientele/descriptors@1")
  defer(() => channel.close())
  const post = channel.postMessage.bind(channel)
  for (const message of [null, 1, {}, { id: "a" }, { id: "a", type: "waits", held: "0" }]) post(message)
  post({ id: "a", type: "holds" })
  await until(() => it.neighbours.isKnown)
  expect(it.of.closed).toBe(0)
})
