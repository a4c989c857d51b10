/**
 * A class of an SDK whose `new` gives the client that equivalent options share. All else of the class is as it was: its
 * statics, `instanceof`, and subclasses, whose `new` is the SDK's own.
 *
 * It is loaded with every process that uses it, so it loads next to nothing: the code that makes clients comes with an
 * SDK.
 */
import { createRequire } from "node:module"
import { extname } from "node:path"
import { fileURLToPath } from "node:url"
import type { Class, Name } from "./model.ts"
import type * as PooledClasses from "./pooledClasses.ts"
import * as Report from "./report.ts"

/** URLs of this module and of the one that makes clients, for code that imports them by URL. */
export const urls = {
  trap: import.meta.url,
  pooledClasses: new URL(`./pooledClasses${extname(import.meta.url)}`, import.meta.url).href
}

/**
 * The module that makes clients. ES modules import it before any client is made; CommonJS can't, and loads it with the
 * first client.
 */
let pooledClasses: typeof PooledClasses | undefined

export const load = (): typeof PooledClasses =>
  (pooledClasses ??= createRequire(import.meta.url)(fileURLToPath(urls.pooledClasses)) as typeof PooledClasses)

export const trap = (sdk: Class | undefined, name: Name, loaded?: typeof PooledClasses): Class | undefined => {
  pooledClasses ??= loaded
  // A version of the SDK that has it no more under this name.
  if (typeof sdk !== "function") return sdk
  const trapped = new Proxy(sdk, {
    construct: (_, args, newTarget) =>
      // A subclass has a prototype of its own; a function that stands for the class, as in CommonJS, has the class's.
      newTarget.prototype === sdk.prototype
        ? Report.count(load().open(name, sdk, args))
        : Reflect.construct(sdk, args, newTarget)
  })
  // `OpenAI.OpenAI` is the class once more.
  const own = sdk as unknown as Record<Name, unknown>
  if (own[name] === sdk) own[name] = trapped
  return trapped
}
