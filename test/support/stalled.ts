/** A port whose connections do not come about: the kernel's line of those to be accepted is full, so it drops what comes. */
import { once } from "node:events"
import * as net from "node:net"
import { Worker } from "node:worker_threads"

export interface Stalled {
  readonly port: number
  /** From now on it accepts, and passes on to the port behind it. */
  readonly release: () => void
  readonly close: () => Promise<unknown>
}

export const serveStalled = async (to: number): Promise<Stalled> => {
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(new URL("children/stalled.ts", import.meta.url), { workerData: { gate, to } })
  worker.unref()
  const [port] = (await once(worker, "message")) as [number]
  // A backlog of 1 takes two on Linux. Connections beyond it go on trying.
  const fillers = Array.from({ length: 6 }, () => net.connect(port, "127.0.0.1").on("error", () => undefined))
  let connected = 0
  await new Promise<void>((resolve) => {
    for (const one of fillers) one.once("connect", () => ++connected === 2 && resolve())
  })
  return {
    port,
    release: () => {
      for (const one of fillers) one.destroy()
      Atomics.store(gate, 0, 1)
      Atomics.notify(gate, 0)
    },
    close: () => {
      for (const one of fillers) one.destroy()
      return worker.terminate()
    }
  }
}
