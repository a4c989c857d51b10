/**
 * For `node --import`: lets a process that imports `clientele`, or runs its command from dist/, meet the sources instead of
 * a build that may be stale, as vitest.config.ts does within the tests.
 */
import { registerHooks } from "node:module"

const root = new URL("../../", import.meta.url).href

registerHooks({
  resolve: (specifier, context, next) => {
    const subpath = /^clientele(?:\/(?!package\.json)(.*))?$/.exec(specifier)
    if (subpath !== null) return next(`${root}src/${subpath[1] ?? "index"}.ts`, context)
    return next(specifier.replace(`${root}src/cli/main.js`, `${root}src/cli/main.ts`), context)
  }
})
