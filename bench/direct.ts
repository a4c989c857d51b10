/** CPU of a chat through the direct door, against the SDK over its default fetch and against bare undici. */
import { type Bench, type Figure, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Work } from "./directWorker.ts"
import { withServer } from "./server.ts"

const SOCKETS = 64

const chats = { maxConnections: SOCKETS, warmUp: 6_000, calls: 10_000 } as const
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
    `CPU of a chat without an SDK between, over HTTP/1.1: 64 and 2,000 at once, ${chats.calls} a run; ` +
    `${SOCKETS} sockets where there is a bound`,
  run: async ({ runs }) => {
    const { few, many } = await withServer(["--protocol", "http/1.1"], async ({ baseURL }) => ({
      many: await run(runs, "2,000 in flight", { ...chats, baseURL, atOnce: 2_000 }),
      few: await run(runs, "64 in flight", { ...chats, baseURL, atOnce: 64 })
    }))
    return [
      figure(many, "chat, 2,000 in flight", "direct", "openai", 0.25),
      figure(many, "chat, 2,000 in flight", "direct, Promise", "openai", 0.25),
      figure(many, "chat, 2,000 in flight", "bare undici", "openai"),
      figure(few, "chat, 64 in flight", "direct", "bare undici", 1.5),
      figure(few, "chat, 64 in flight", "direct, Promise", "bare undici", 1.5),
      figure(few, "chat, 64 in flight", "direct", "openai")
    ]
  }
}
