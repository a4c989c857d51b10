/**
 * Keeps `needs-effect-3`, or `-4` in the other package, the first import of each public module's file, wherever the module's own code is. It stays as the
 * compiler has made it, since its path is a message.
 */
import { dirname, join, relative } from "node:path"
import type { Plugin } from "rollup"

/** Files of that module; captures their path in the package, without the extension. */
export const MESSAGE = /(?:^|\/)(internal\/needs-effect-\d\/run-npm-install-effect@\d)\.(?:ts|js(?:\.map)?)$/

/** An empty module. */
const NOTHING = "\0nothing"

export const messageFirst = (): Plugin => {
  /** Paths of the module, by the files that import it. */
  const paths = new Map<string, string>()
  return {
    name: "message first",
    resolveId: (id, importer) => {
      const path = MESSAGE.exec(importer === undefined ? "" : join(dirname(importer), id))?.[1]
      if (importer === undefined || path === undefined) return null
      paths.set(importer, path)
      return { id: NOTHING, moduleSideEffects: false }
    },
    load: (id) => (id === NOTHING ? "" : null),
    banner: ({ facadeModuleId, fileName, isEntry }) => {
      const message = isEntry && facadeModuleId !== null ? paths.get(facadeModuleId) : undefined
      if (message === undefined) return ""
      const path = relative(dirname(fileName), `${message}.js`)
      return `import "${path.startsWith(".") ? path : `./${path}`}";`
    }
  }
}
