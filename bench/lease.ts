/** What a lease of a client that stands costs. */
import { type Bench, type Figure, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./child.ts"
import type { Variant, Work } from "./leaseWorker.ts"

const TIMES = 50_000

const variant = (name: Variant) => () => measure<Work, number>("leaseWorker.ts", { variant: name, times: TIMES })

export const lease: Bench = {
  name: "lease",
  about: `a lease on a hit, ${TIMES} one after the other in one fiber`,
  run: async ({ runs }) => {
    const results = await interleaved(
      {
        "RcMap.get": variant("RcMap.get"),
        "get, config": variant("get, config"),
        "get, options": variant("get, options"),
        "use, config": variant("use, config"),
        "LeaseMap.get": variant("LeaseMap.get"),
        "LeaseMap.use": variant("LeaseMap.use"),
        "new OpenAI": variant("new OpenAI")
      },
      runs
    )
    const figure = (what: string, of: Variant, to: Variant, atMost?: number): Figure => {
      const all = ratios(results[of], results[to])
      const us = (name: Variant) => round(median(results[name]) / 1000, 2)
      return { what, value: median(all), unit: "x", atMost, note: `${us(of)} and ${us(to)} us; runs ${spread(all, 2)}` }
    }
    return [
      figure("scoped get with a config / scoped RcMap.get", "get, config", "RcMap.get", 1.3),
      figure("scoped get with plain options / scoped RcMap.get", "get, options", "RcMap.get"),
      figure("use with a config, its promise included / scoped RcMap.get", "use, config", "RcMap.get"),
      figure("scoped LeaseMap.get / scoped RcMap.get", "LeaseMap.get", "RcMap.get"),
      figure("LeaseMap.use / scoped RcMap.get", "LeaseMap.use", "RcMap.get"),
      figure("scoped get with a config / new OpenAI()", "get, config", "new OpenAI"),
      figure("scoped get with plain options / new OpenAI()", "get, options", "new OpenAI")
    ]
  }
}
