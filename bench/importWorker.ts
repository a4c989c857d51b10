/** Imports one module and says how long that took, or what it loaded. Imports nothing but what Node has in itself. */
import { registerHooks } from "node:module"
import { input, report } from "./child.ts"

export interface Work {
  readonly module: string
  /** Lists the modules loaded; that takes time. */
  readonly list: boolean
}

export interface Imported {
  readonly ms: number
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
const start = performance.now()
await import(module)
report({ ms: performance.now() - start, modules } satisfies Imported)
