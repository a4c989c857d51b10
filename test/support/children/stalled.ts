/**
 * On a thread of its own, which is blocked until its first word is notified: connections are not accepted meanwhile.
 */
import { once } from "node:events"
import * as net from "node:net"
import { parentPort, workerData } from "node:worker_threads"

const { gate, to } = workerData as { readonly gate: Int32Array; readonly to: number }

const server = net.createServer((socket) => {
  const upstream = net.connect(to, "127.0.0.1")
  for (const [one, other] of [
    [socket, upstream],
    [upstream, socket]
  ] as const) {
    one.on("error", () => undefined)
    one.once("close", () => other.destroy())
    one.pipe(other)
  }
})
server.listen({ port: 0, host: "127.0.0.1", backlog: 1 })
await once(server, "listening")
parentPort?.postMessage((server.address() as net.AddressInfo).port, [])
Atomics.wait(gate, 0, 0)
