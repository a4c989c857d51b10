/** Cost of getting a client that exists already, where `new OpenAI` would make another. */
import { type Bench, type Figure, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Variant, Work } from "./promiseHitWorker.ts"

const TIMES = 100_000

const variant = (name: Variant, given: Work["given"]) => () =>
  measure<Work, number>("promiseHitWorker.ts", { variant: name, given, times: TIMES })

export const promiseHit: Bench = {
  name: "promise-hit",
  about: `an existing client, got ${TIMES} times one after the other, each time with a new literal of options`,
  run: async ({ runs }) => {
    const results = await interleaved(
      {
        "new, nothing": variant("new OpenAI", "nothing"),
        "get, nothing": variant("getOpenAIClient", "nothing"),
        "new, few": variant("new OpenAI", "few"),
        "get, few": variant("getOpenAIClient", "few"),
        "new, many": variant("new OpenAI", "many"),
        "get, many": variant("getOpenAIClient", "many")
      },
      runs
    )
    type Name = keyof typeof results
    const figure = (what: string, of: Name, to: Name): Figure => {
      const all = ratios(results[of], results[to])
      const us = (name: Name) => round(median(results[name]) / 1000, 1)
      const note = `${us(of)} and ${us(to)} us; runs ${spread(all, 2)}`
      return { what: `getOpenAIClient / new OpenAI, ${what}`, value: median(all), unit: "x", atMost: 0.5, note }
    }
    return [
      figure("of nothing but the environment", "get, nothing", "new, nothing"),
      figure("of a literal with key, address and timeout", "get, few", "new, few"),
      figure("of a literal with eight options, headers among them", "get, many", "new, many")
    ]
  }
}
