/**
 * Pooled clients without a changed line: `node --import clientele/register app.js`. Every `new OpenAI(...)`,
 * `new AzureOpenAI(...)`, `new Groq(...)` and `new Cerebras(...)` of the process gives the client that the getters of
 * `clientele/promise/openai`, `/groq` and `/cerebras` would give, also where a library makes it, with a copy or a version
 * of the SDK of its own, in ES modules and in CommonJS.
 *
 * Options that the pool does not support give the SDK's own client, with one warning that names them. So does a subclass,
 * without a warning. SDKs bundled into the app's own files are not seen.
 *
 * With `CLIENTELE_FETCH=1` the global `fetch` hands requests for the providers' origins to the pool, for libraries
 * without an SDK. A list of base URLs, separated by commas, adds others.
 *
 * A warning names an origin of a provider that gets requests outside the pool, once for each kind of caller. With
 * `CLIENTELE_REPORT=1` a table on stderr has, when the process ends, clients, requests and sockets by origin and road.
 * Without an SDK, and without such requests, nothing happens. `docs/register.md` has the details.
 *
 * It needs `module.registerHooks` (Node 22.15, Deno) or Bun, where it is `bun --preload clientele/register app.js`.
 *
 * @since 0.1.0
 */
import "./internal/install/node.ts"
import { readFileSync } from "node:fs"
import type { LoadFnOutput } from "node:module"
import { fileURLToPath } from "node:url"
import { problemIn } from "./internal/install/surroundings.ts"
import * as GlobalFetch from "./internal/promise/register/fetch/install.ts"
import { again, registerHooks } from "./internal/promise/register/hooks.ts"
import { find, type Unknown } from "./internal/promise/register/modules.ts"
import * as Report from "./internal/promise/register/report.ts"
import * as Roads from "./internal/promise/register/roads.ts"
import type { Class, Name } from "./internal/promise/register/model.ts"
import { load, trap, urls } from "./internal/promise/register/trap.ts"
import { warn } from "./internal/util/processWarning.ts"

/** Copies of this package may be registered one after another: the first one has the classes. */
const KEY: unique symbol = Symbol.for("clientele/register@1")

const folder = fileURLToPath(new URL("..", import.meta.url))

const instead = (url: string, name: Name): string => {
  const original = JSON.stringify(again(url))
  return [
    `import { trap } from ${JSON.stringify(urls.trap)}`,
    `import * as pooledClasses from ${JSON.stringify(urls.pooledClasses)}`,
    `import * as sdk from ${original}`,
    `const trapped = trap(sdk.${name}, "${name}", pooledClasses)`,
    `export * from ${original}`,
    `export { trapped as ${name}, trapped as default }`
  ].join("\n")
}

const appended = (name: Name): string => {
  const trapped = `globalThis[Symbol.for("${Symbol.keyFor(KEY)}")](exports.${name}, "${name}")`
  // Cerebras's class is its module's exports as well.
  return `\n;if (module.exports === exports.${name}) { module.exports = ${trapped}; module.exports.default = module.exports } else exports.${name} = ${trapped};\n`
}

const sourceOf = (url: string, { source }: LoadFnOutput): string => {
  if (typeof source === "string") return source
  return source == null ? readFileSync(fileURLToPath(url), "utf8") : new TextDecoder().decode(source)
}

const warned = new Set<string>()

const skip = ({ majors, unknown }: Unknown): void => {
  if (warned.has(unknown)) return
  warned.add(unknown)
  const expected = majors.length === 1 ? `version ${majors[0]}` : `versions ${majors[0]} to ${majors.at(-1)}`
  warn(`clients of ${unknown} are not pooled: unsupported version, supported: ${expected}`)
}

const shared = globalThis as { [KEY]?: (sdk: Class | undefined, name: Name) => Class | undefined }

if (shared[KEY] === undefined) {
  shared[KEY] = trap
  if (process.env["CLIENTELE_REPORT"] === "1") Report.start()
  // Deno (2.9) can't require an ES module any more once there are hooks.
  if ("Deno" in globalThis) load()
  Roads.watch(GlobalFetch.install(process.env["CLIENTELE_FETCH"]))
  registerHooks({
    load: (url, context, nextLoad) => {
      const found = find(url)
      if (found === undefined) return nextLoad(url, context)
      if ("unknown" in found) {
        skip(found)
        return nextLoad(url, context)
      }
      // Thrown here, since linking what replaces the SDK's module would fail with no more than the path of a file.
      const problem = problemIn(folder)
      if (problem !== undefined) throw new Error(problem)
      if (found.format === "module") {
        return { format: "module", source: instead(url, found.name), shortCircuit: true }
      }
      const loaded = nextLoad(url, context)
      return { ...loaded, source: sourceOf(url, loaded) + appended(found.name) }
    }
  })
}
