/** A sandbox on a thread of its own, which goes on while others are blocked: it posts its origin. */
import { parentPort, workerData } from "node:worker_threads"
import * as Sandbox from "../../../src/testing/Sandbox.ts"

const { origin } = await Sandbox.start(workerData as Parameters<typeof Sandbox.start>[0])
parentPort?.postMessage(origin, [])
