/** CPU of a chat request of each provider's SDK without Effect: by its getter at each call, against one client of its own. */
import { type Bench, type Figure, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Sdk, Work } from "./providersWorker.ts"
import { withServer } from "./server.ts"

const SDKS: ReadonlyArray<Sdk> = ["openai", "groq", "cerebras"]
const chats = { atOnce: 2_000, warmUp: 12_000, calls: 10_000, maxConnections: 64 } as const

export const providers: Bench = {
  name: "providers",
  about:
    `CPU of a chat request of each SDK: ${chats.atOnce} at once, ${chats.calls} a run after ${chats.warmUp} to warm up, ` +
    `over HTTP/1.1, ${chats.maxConnections} sockets where there is a bound`,
  run: ({ runs }) =>
    withServer(["--protocol", "http/1.1"], async ({ origin }) => {
      const all: Array<Figure> = []
      for (const sdk of SDKS) {
        const work = (way: Work["way"]) => () =>
          measure<Work, number>("providersWorker.ts", { ...chats, sdk, way, origin })
        const { alone, getter } = await interleaved({ alone: work("default fetch"), getter: work("getter") }, runs)
        const relative = ratios(getter, alone)
        all.push({
          what: `${sdk}: getter / one client of the SDK`,
          value: median(relative),
          unit: "x",
          atMost: 0.5,
          note: `${round(median(getter), 0)} and ${round(median(alone), 0)} us; runs ${spread(relative, 2)}`
        })
      }
      return all
    })
}
