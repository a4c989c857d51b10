/**
 * `module.registerHooks` (Node 22.15, Deno), or its replacement on Bun: a plugin for ES modules, and the loader of
 * `.js` for CommonJS. Only files that concern the hook go through it.
 */
import { readFileSync } from "node:fs"
import * as nodeModule from "node:module"
import { fileURLToPath, pathToFileURL } from "node:url"

interface Hooks {
  readonly load: nodeModule.LoadHookSync
}

type Loader = (module: { readonly _compile: (source: string, file: string) => void }, file: string) => void

interface Bun {
  readonly plugin: (plugin: {
    readonly name: string
    readonly setup: (build: {
      readonly onLoad: (
        on: { readonly filter: RegExp },
        load: (file: { readonly path: string }) => { readonly contents: string; readonly loader: "js" }
      ) => void
    }) => void
  }) => void
}

/** Its text may be another's: a plugin of Bun must give one for each file that its filter lets through. */
const files = /\/node_modules\/(?:@[^/]+\/)?[^/@]+\/(?:client|azure|index)\.mjs$/

const { Bun: bun } = globalThis as { readonly Bun?: Bun }

/** Specifier that imports a module once more, unchanged. Bun drops the query of a URL, and keeps that of a path. */
export const again = (url: string): string => `${bun === undefined ? url : fileURLToPath(url)}?clientele`

const bunHooks = (bun: Bun, { load }: Hooks): void => {
  const sourceOf = (path: string, format: "module" | "commonjs"): string => {
    const context = { conditions: [], format, importAttributes: {} }
    const loaded = load(pathToFileURL(path).href, context, (url) => ({
      format,
      source: readFileSync(fileURLToPath(url), "utf8")
    }))
    return String(loaded.source)
  }
  bun.plugin({
    name: "clientele",
    setup: (build) =>
      build.onLoad({ filter: files }, ({ path }) => ({ contents: sourceOf(path, "module"), loader: "js" }))
  })
  const { _extensions: loaders } = nodeModule.Module as unknown as { readonly _extensions: Record<".js", Loader> }
  const original = loaders[".js"]
  loaders[".js"] = (module, file) => {
    if (!files.test(file.replace(/\.js$/, ".mjs"))) return original(module, file)
    module._compile(sourceOf(file, "commonjs"), file)
  }
}

/** Throws where neither is there. */
export const registerHooks = (hooks: Hooks): void => {
  if (typeof nodeModule.registerHooks === "function") return void nodeModule.registerHooks(hooks)
  if (bun === undefined) {
    throw new Error(
      "clientele/register needs module.registerHooks, which Node has from 22.15 on, and this runtime has none: use the getters of clientele/promise instead"
    )
  }
  bunHooks(bun, hooks)
}
