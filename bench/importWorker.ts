/** Imports one module and reports what that cost, or what it loaded. Imports nothing but what Node has in itself. */
import { registerHooks } from "node:module"
import { input, report } from "./child.ts"

export interface Work {
  readonly module: string
  /** Lists the modules loaded; that takes time. */
  readonly list: boolean
}

export interface Imported {
  readonly ms: number
  /** Processor time of all threads. */
  readonly cpuMs: number
  /** Resident memory of the process once the module is loaded. */
  readonly megabytes: number
  /** URLs. */
  readonly modules: ReadonlyArray<string>
}

const { list, module } = input<Work>()
const modules: Array<string> = []
if (list) {
  registerHooks({
    load: (url, context, next) => {
      if (!url.startsWith("node:")) modules.push(url)
      return next(url, context)
    }
  })
}
const [start, before] = [performance.now(), process.cpuUsage()]
await import(module)
const [ms, { system, user }] = [performance.now() - start, process.cpuUsage(before)]
report({
  ms,
  cpuMs: (user + system) / 1000,
  megabytes: process.memoryUsage.rss() / 1e6,
  modules
} satisfies Imported)
