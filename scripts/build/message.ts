/**
 * Keeps `needs-effect-3` the first import of each public module's file, wherever the module's own code is. It stays as the
 * compiler has made it, since its path is a message.
 */
import { dirname, relative } from "node:path"
import type { Plugin } from "rollup"

/** Without its extension. */
export const MESSAGE = "internal/needs-effect-3/run-npm-install-effect@3"

/** An empty module. */
const NOTHING = "\0nothing"

export const messageFirst = (): Plugin => {
  const importers = new Set<string>()
  return {
    name: "message first",
    resolveId: (id, importer) => {
      if (importer === undefined || !id.endsWith(`/${MESSAGE}.ts`)) return null
      importers.add(importer)
      return { id: NOTHING, moduleSideEffects: false }
    },
    load: (id) => (id === NOTHING ? "" : null),
    banner: ({ facadeModuleId, fileName, isEntry }) => {
      if (!isEntry || facadeModuleId === null || !importers.has(facadeModuleId)) return ""
      const path = relative(dirname(fileName), `${MESSAGE}.js`)
      return `import "${path.startsWith(".") ? path : `./${path}`}";`
    }
  }
}
