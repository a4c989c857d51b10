/** A tenant that never asks twice with the same configuration: whether it costs the others, and leaves anything behind. */
import { type Bench, interleaved, median, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Result, Work } from "./oneOffsWorker.ts"
import { withServer } from "./server.ts"

/** Short ones, so that what else the machine does meets both of the tenant's ways alike. */
const BLOCKS = 10

export const oneOffs: Bench = {
  name: "one-offs",
  about:
    "a tenant each of whose requests has a configuration of its own: its effect on another tenant, and the heap left",
  run: ({ quick, runs }) =>
    withServer(["--protocol", "http/1.1", "--latency", "5", "--log-size", "0"], async (server) => {
      const configs = quick ? 10_000 : 100_000
      const work = { baseURL: server.baseURL, blocks: BLOCKS, block: quick ? 200 : 1_000, configs }
      const once = () => measure<Work, Result>("oneOffsWorker.ts", work, { nodeArgs: ["--expose-gc"] })
      const { once: results } = await interleaved({ once }, quick ? 1 : Math.min(runs, 2))
      const ratios = results.flatMap(({ blocks }) => blocks.map(({ many, one }) => many / one))
      const growth = results.map(({ heap }) => heap.end - heap.early)
      const ms = (of: "alone" | "many" | "one") =>
        `${round(median(results.flatMap(({ blocks }) => blocks.map((block) => block[of]))), 1)} ms`
      const mb = (of: "early" | "end") => `${round(median(results.map(({ heap }) => heap[of])), 1)} MB`
      const us = (of: "many" | "one") => `${round(median(results.map(({ cpu }) => cpu[of])), 0)} us`
      return [
        {
          what: "p99 of another tenant beside one-off configurations / beside as many requests of one",
          value: median(ratios),
          unit: "x",
          atMost: 1.5,
          note: `${ms("many")} and ${ms("one")}, ${ms("alone")} alone; blocks ${spread(ratios, 2)}`
        },
        {
          what: `heap after ${configs} one-off configurations, less that after as many as the pool holds`,
          value: median(growth),
          unit: "MB",
          atMost: 5,
          note: `${mb("early")}, ${mb("end")}; runs ${spread(growth, 2)}`
        },
        {
          what: "CPU of a request of a new configuration / of an existing one",
          value: median(results.map(({ cpu }) => cpu.many / cpu.one)),
          unit: "x",
          note: `${us("many")}, ${us("one")}`
        },
        {
          what: "requests that failed",
          value: Math.max(...results.map(({ failed }) => failed)),
          unit: "requests",
          atMost: 0,
          note: `${results[0]?.built} clients built, ${results[0]?.held} held at the end`
        }
      ]
    })
}
