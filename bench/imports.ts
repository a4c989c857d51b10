/** Time to import the package, and the modules that it loads. */
import { type Bench, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./child.ts"
import type { Imported, Work } from "./importWorker.ts"

/** An import takes a fraction of a second and varies by a third: more runs than other benches have. */
const TIMES = 5

const load = (module: string) => () => measure<Work, Imported>("importWorker.ts", { module, list: false })

export const imports: Bench = {
  name: "imports",
  about: "importing the barrel, in fresh processes",
  run: async ({ runs }) => {
    await load("effect")()
    await load("clientele")()
    const results = await interleaved({ effect: load("effect"), clientele: load("clientele") }, runs * TIMES)
    const effect = results.effect.map(({ ms }) => ms)
    const clientele = results.clientele.map(({ ms }) => ms)
    const all = ratios(clientele, effect)
    const { modules } = await measure<Work, Imported>("importWorker.ts", { module: "clientele", list: true })
    const foreign = modules.filter(
      (url) => !/\/node_modules\/(effect|@effect)\//.test(url) && url.includes("/node_modules/")
    )
    return [
      {
        what: "import of clientele / import of effect",
        value: median(clientele) / median(effect),
        unit: "x",
        atMost: 1.3,
        note: `${round(median(clientele), 0)} and ${round(median(effect), 0)} ms; runs ${spread(all, 2)}`
      },
      {
        what: "modules that it loads of packages other than effect's",
        value: foreign.length,
        unit: "modules",
        atMost: 0,
        note: foreign[0] ?? `of ${modules.length} modules in all`
      }
    ]
  }
}
