/**
 * A sandbox on a thread of its own, which goes on while others are blocked: it posts its origin, and when its first
 * request has come that there are some.
 */
import { parentPort, workerData } from "node:worker_threads"
import * as Sandbox from "../../../src/testing/Sandbox.ts"

const { origin, stats } = await Sandbox.start(workerData as Parameters<typeof Sandbox.start>[0])
parentPort?.postMessage(origin, [])
const look = setInterval(() => {
  if (stats().requests === 0) return
  clearInterval(look)
  parentPort?.postMessage("requests", [])
}, 2)
