/** A process that interrupts fibers which wait. */
import * as net from "node:net"
import type { AddressInfo } from "node:net"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { makePool } from "../src/internal/transport/pool.ts"
import { SocketBudget } from "../src/internal/transport/sockets.ts"
import { input, report } from "./child.ts"

export interface Work {
  readonly variant: "deferred" | "queued"
  readonly waiting: number
}

export interface Outcome {
  /** In ms. */
  readonly cpu: number
}

const { variant, waiting } = input<Work>()
const server = net.createServer((socket) => void socket.resume())
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const pool = makePool({ origin, budget: new SocketBudget(512), maxConnections: 1, maxQueue: Infinity })

const request = (signal: AbortSignal) =>
  pool.request({
    method: "GET",
    path: "/",
    headers: {},
    body: undefined,
    signal,
    timeouts: { headers: 600_000, body: 600_000 }
  })

const queued = Effect.tryPromise((signal) => request(signal))
const deferred = Effect.flatMap(Deferred.make<never>(), Deferred.await)

const program = Effect.gen(function* () {
  const busy = yield* Effect.fork(queued)
  yield* Effect.sleep(100)
  const fibers: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
  for (let i = 0; i < waiting; i++) fibers.push(yield* Effect.fork(variant === "queued" ? queued : deferred))
  yield* Effect.sleep(500)
  const from = process.cpuUsage()
  yield* Fiber.interruptAll(fibers)
  const { system, user } = process.cpuUsage(from)
  yield* Fiber.interrupt(busy)
  return (system + user) / 1_000
})

const cpu = await Effect.runPromise(program)
await pool.close(0)
server.close()
report({ cpu } satisfies Outcome)
