/** CPU of the direct door, chats and streams, against the SDK over its default fetch and against bare undici. */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type Bench, type Figure, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./child.ts"
import type { Work } from "./directWorker.ts"
import { withServer } from "./server.ts"

const SOCKETS = 64
const EVENTS = 200
const STREAMS_AT_ONCE = 50

const chats = { kind: "chat", maxConnections: SOCKETS, warmUp: 6_000, calls: 10_000 } as const
const streams = {
  kind: "stream",
  maxConnections: SOCKETS,
  atOnce: STREAMS_AT_ONCE,
  warmUp: 300,
  calls: 600
} as const

/** Starts the server of streams for as long as `use` runs. */
const withEvents = async <A>(areTogether: boolean, use: (baseURL: string) => Promise<A>): Promise<A> => {
  const server = fileURLToPath(new URL("eventsServer.ts", import.meta.url))
  const child = fork(server, [JSON.stringify({ events: EVENTS, areTogether })])
  try {
    const port = await new Promise<number>((resolve, reject) => {
      child.once("message", (message) => resolve(message as number))
      child.once("error", reject)
      child.once("exit", (code) => reject(new Error(`the server of streams ended with ${code}`)))
    })
    return await use(`http://127.0.0.1:${port}/v1`)
  } finally {
    child.disconnect()
  }
}

const variants = ["openai", "direct", "direct, Promise", "bare undici"] as const

type Costs = Readonly<Record<Work["variant"], ReadonlyArray<number>>>

const run = (runs: number, name: string, work: Omit<Work, "variant">): Promise<Costs> =>
  interleaved(
    Object.fromEntries(
      variants.map((variant) => [
        variant,
        () => {
          process.stderr.write(`    ${name}\n`)
          return measure<Work, number>("directWorker.ts", { ...work, variant })
        }
      ])
    ) as Record<Work["variant"], () => Promise<number>>,
    runs
  )

const figure = (costs: Costs, what: string, of: Work["variant"], to: Work["variant"], atMost?: number): Figure => {
  const all = ratios(costs[of], costs[to])
  const us = (name: Work["variant"]) => round(median(costs[name]), 0)
  const note = `${us(of)} and ${us(to)} us; runs ${spread(all, 2)}`
  return { what: `${what}: ${of} / ${to}`, value: median(all), unit: "x", atMost, note }
}

export const direct: Bench = {
  name: "direct",
  about:
    `CPU of a chat and of a stream of ${EVENTS} events without an SDK between, over HTTP/1.1: chats 64 and 2,000 at once, ` +
    `${chats.calls} a run; streams ${STREAMS_AT_ONCE} at once, ${streams.calls} a run; ${SOCKETS} sockets where there is a bound`,
  run: async ({ runs }) => {
    const { few, many } = await withServer(["--protocol", "http/1.1"], async ({ baseURL }) => ({
      many: await run(runs, "2,000 in flight", { ...chats, baseURL, atOnce: 2_000 }),
      few: await run(runs, "64 in flight", { ...chats, baseURL, atOnce: 64 })
    }))
    const apart = await withEvents(false, (baseURL) => run(runs, "streams, events apart", { ...streams, baseURL }))
    const together = await withEvents(true, (baseURL) => run(runs, "streams, events together", { ...streams, baseURL }))
    const stream = `stream of ${EVENTS} events, each in a write of its own`
    const whole = `stream of ${EVENTS} events in one write`
    return [
      figure(many, "chat, 2,000 in flight", "direct", "openai", 0.25),
      figure(many, "chat, 2,000 in flight", "direct, Promise", "openai", 0.25),
      figure(many, "chat, 2,000 in flight", "bare undici", "openai"),
      figure(few, "chat, 64 in flight", "direct", "bare undici", 1.5),
      figure(few, "chat, 64 in flight", "direct, Promise", "bare undici", 1.5),
      figure(few, "chat, 64 in flight", "direct", "openai"),
      figure(apart, stream, "direct", "openai", 0.45),
      figure(apart, stream, "direct, Promise", "openai", 0.45),
      figure(apart, stream, "bare undici", "openai"),
      figure(together, whole, "direct", "openai", 0.45),
      figure(together, whole, "direct, Promise", "openai", 0.45),
      figure(together, whole, "bare undici", "openai")
    ]
  }
}
