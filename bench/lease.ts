/** Cost of leasing a client that exists already. */
import { type Bench, type Figure, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Variant, Work } from "./leaseWorker.ts"
import { currentLine } from "./line.ts"

const TIMES = 50_000

const variant = (name: Variant, held: boolean) => () =>
  measure<Work, number>("leaseWorker.ts", { variant: name, held, times: TIMES })

export const lease: Bench = {
  name: "lease",
  about: `a lease on a hit, ${TIMES} one after the other in one fiber`,
  run: async ({ runs }) => {
    const results = await interleaved(
      {
        "RcMap.get": variant("RcMap.get", true),
        "get, config": variant("get, config", true),
        "get, options": variant("get, options", true),
        "use, config": variant("use, config", true),
        "LeaseMap.get": variant("LeaseMap.get", true),
        "LeaseMap.use": variant("LeaseMap.use", true),
        "RcMap.get, idle": variant("RcMap.get", false),
        "get, config, idle": variant("get, config", false),
        "new OpenAI": variant("new OpenAI", false)
      },
      runs
    )
    type Name = keyof typeof results
    const us = (what: string, of: Name, atMost?: number): Figure => {
      const all = results[of].map((ns) => ns / 1000)
      return { what, value: median(all), unit: "us", atMost, note: `runs ${spread(all, 2)}` }
    }
    const figure = (what: string, of: Name, to: Name, atMost?: number): Figure => {
      const all = ratios(results[of], results[to])
      const { [of]: ours, [to]: others } = results
      const note = `${round(median(ours) / 1000, 1)} and ${round(median(others) / 1000, 1)} us; runs ${spread(all, 2)}`
      return { what, value: median(all), unit: "x", atMost, note }
    }
    // RcMap of Effect 4 takes a twentieth of the other's time, so there leases have a bound of their own.
    const isOn4 = currentLine() === 4
    const most = isOn4 ? undefined : 1.3
    return [
      us("LeaseMap.get, scoped, of a value in use", "LeaseMap.get", isOn4 ? 0.6 : undefined),
      us("get with a config, scoped, of a client in use", "get, config", isOn4 ? 0.6 : undefined),
      us("the same, of an idle client", "get, config, idle"),
      us("use with a config, its promise included", "use, config"),
      us("new OpenAI()", "new OpenAI"),
      figure("get with a config / RcMap.get, both scoped, of a client in use", "get, config", "RcMap.get", most),
      figure("the same, of an idle client", "get, config, idle", "RcMap.get, idle", most),
      figure("get with plain options / RcMap.get, both scoped", "get, options", "RcMap.get"),
      figure("use with a config, its promise included / RcMap.get, scoped", "use, config", "RcMap.get"),
      figure("LeaseMap.get / RcMap.get, both scoped", "LeaseMap.get", "RcMap.get"),
      figure("LeaseMap.use / RcMap.get, scoped", "LeaseMap.use", "RcMap.get"),
      figure("get with a config, scoped / new OpenAI()", "get, config", "new OpenAI"),
      figure("get with plain options, scoped / new OpenAI()", "get, options", "new OpenAI")
    ]
  }
}
