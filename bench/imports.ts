/** Time and memory to import the package, and the modules that it loads. */
import { type Bench, type Figure, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Imported, Work } from "./importWorker.ts"

/** An import takes a fraction of a second and varies by a third: more runs than other benches have. */
const TIMES = 5

const load = (module: string) => () => measure<Work, Imported>("importWorker.ts", { module, list: false })

interface Comparison {
  readonly module: string
  readonly results: ReadonlyArray<Imported>
  readonly base: string
  readonly baseResults: ReadonlyArray<Imported>
}

/** One import against another, in time, processor time and memory of the process. */
const compare = (
  { base, baseResults, module, results }: Comparison,
  atMost: Readonly<Record<keyof Omit<Imported, "modules">, number>>
): ReadonlyArray<Figure> => {
  const units = { ms: "ms", cpuMs: "ms of the processor", megabytes: "MB of the process" } as const
  return (["ms", "cpuMs", "megabytes"] as const).map((quantity) => {
    const [values, baseValues] = [results, baseResults].map((all) => all.map((one) => one[quantity])) as [
      Array<number>,
      Array<number>
    ]
    return {
      what: `import of ${module} / import of ${base}, ${units[quantity]}`,
      value: median(values) / median(baseValues),
      unit: "x",
      atMost: atMost[quantity],
      note: `${round(median(values), 0)} and ${round(median(baseValues), 0)}; runs ${spread(ratios(values, baseValues), 2)}`
    }
  })
}

/** A package that the path needs none of. */
const foreign = async (module: string, allowed: RegExp): Promise<Figure> => {
  const { modules } = await measure<Work, Imported>("importWorker.ts", { module, list: true })
  const others = modules.filter((url) => !allowed.test(url) && url.includes("/node_modules/"))
  return {
    what: `modules that ${module} loads of other packages than it needs`,
    value: others.length,
    unit: "modules",
    atMost: 0,
    note: others[0] ?? `of ${modules.length} modules in all`
  }
}

export const imports: Bench = {
  name: "imports",
  about: "importing the barrel and the getter of openai, in fresh processes",
  run: async ({ runs }) => {
    const getter = "clientele/promise/openai"
    const variants = {
      effect: load("effect"),
      clientele: load("clientele"),
      openai: load("openai"),
      [getter]: load(getter)
    }
    for (const variant of Object.values(variants)) await variant()
    const results = await interleaved(variants, runs * TIMES)
    return [
      ...compare(
        { module: "clientele", results: results["clientele"]!, base: "effect", baseResults: results["effect"]! },
        { ms: 1.3, cpuMs: 1.3, megabytes: 1.2 }
      ),
      ...compare(
        { module: getter, results: results[getter]!, base: "openai", baseResults: results["openai"]! },
        { ms: 1.5, cpuMs: 1.5, megabytes: 1.25 }
      ),
      await foreign("clientele", /\/node_modules\/(effect|@effect)\//),
      await foreign(getter, /\/node_modules\/(effect|openai)\//)
    ]
  }
}
