/** The sandbox as the provider of a row: the facts of a hand-written one, read from its own statistics. */
import * as Sandbox from "../../../src/testing/Sandbox.ts"
import { until } from "../../support/wait.ts"
import type { Protocol } from "./arrival.ts"
import type { Provider } from "./provider.ts"

/** From a request's arrival to its fault, in ms: others can line up behind it. */
const latency = 150

/** Requests in flight meet the fault, `times` times, or each time they come. */
export const serveSandbox = async (
  protocol: Protocol,
  { fault, times }: Pick<Sandbox.FaultRule, "fault" | "times">
): Promise<Provider> => {
  const secure = protocol !== "HTTP/1.1"
  const sandbox = await Sandbox.start({
    tls: secure,
    protocol: protocol === "HTTP/2" ? "h2" : "http/1.1",
    maxStreams: 1,
    latency,
    faults: [{ match: { model: /^in-flight/ }, fault, times }]
  })
  const log = (id: string) => sandbox.stats().log.filter(({ model }) => model === id)
  return {
    scheme: secure ? "https" : "http",
    port: sandbox.port,
    ca: sandbox.ca,
    arrivals: [],
    lines: [],
    connections: () => sandbox.stats().connections.total,
    open: () => sandbox.stats().connections.open,
    aborts: () => sandbox.stats().aborts,
    count: (id) => log(id).length,
    // A request whose response has begun must not come again.
    duplicates: () => {
      const begun = new Set<string>()
      const repeated: Array<string> = []
      for (const { model = "", status } of sandbox.stats().log) {
        if (begun.has(model)) repeated.push(model)
        if (status !== undefined && status < 400) begun.add(model)
      }
      return repeated
    },
    // It counts a request when it has ended.
    settled: () => until(() => sandbox.stats().inFlight === 0),
    arrived: (count) => until(() => sandbox.stats().requests >= count),
    close: sandbox.close
  }
}
