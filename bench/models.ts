/** Cost of a call of a language model on clientele, against the bare SDK and other libraries' models. */
import { type Bench, type Figure, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import { has } from "./line.ts"
import type { Calls, Cost } from "./modelCalls.ts"
import type { Work } from "./modelsWorker.ts"
import { withServer } from "./server.ts"

const AT_ONCE = 1_000
const WARM_UP = 3_000
const CALLS = 5_000

type Measured = Cost & { readonly sockets: number }

export const models: Bench = {
  name: "models",
  about: `CPU of a call of a language model: ${AT_ONCE} agents at once, ${CALLS} calls a run after ${WARM_UP} to warm up`,
  run: ({ runs }) =>
    withServer(["--protocol", "http/1.1"], async (server) => {
      const calls: Calls = { baseURL: server.baseURL, atOnce: AT_ONCE, warmUp: WARM_UP, calls: CALLS }
      const costOf = async (file: string, input: Calls): Promise<Measured> => {
        await server.reset()
        const cost = await measure<Calls, Cost>(file, input, { nodeArgs: ["--expose-gc"] })
        return { ...cost, sockets: (await server.stats()).connections.peak }
      }
      const work = (variant: Work["variant"]) => () => costOf("modelsWorker.ts", { ...calls, variant } as Work)
      const ours = "OpenAiModel of clientele"
      const bare = "one OpenAI, default fetch"
      const others: Readonly<Record<string, () => Promise<Measured>>> = {
        "Vercel's generateText": work("ai"),
        "LangChain's ChatOpenAI": work("langchain"),
        ...(has("modelsAiOpenaiWorker.ts") && {
          "@effect/ai-openai": () => costOf("modelsAiOpenaiWorker.ts", calls)
        })
      }
      const results = await interleaved({ [bare]: work("openai"), [ours]: work("clientele"), ...others }, runs)
      const of = (name: string, field: keyof Measured): ReadonlyArray<number> =>
        (results[name as keyof typeof results] ?? []).map((one) => one[field])
      const us = (name: string) => median(of(name, "us"))
      const best = Object.keys(others).reduce((a, b) => (us(a) <= us(b) ? a : b))
      const against = (other: string, atMost: number): Figure => {
        const all = ratios(of(ours, "us"), of(other, "us"))
        return { what: `${ours} / ${other}`, value: median(all), unit: "x", atMost, note: `runs ${spread(all, 2)}` }
      }
      return [
        against(bare, 0.75),
        against(best, 0.4),
        ...Object.keys(results).map((name): Figure => {
          const more = (field: "sockets" | "heap" | "p99") => round(median(of(name, field)), 0)
          const note = `${more("sockets")} sockets, ${more("heap")} MB of heap, p99 ${more("p99")} ms`
          return { what: name, value: us(name), unit: "us", note }
        })
      ]
    })
}
