/**
 * Joins modules that are loaded together into few files: Node takes about as long for a file as for the code in it. Each
 * module is in one file alone, so classes and state are the same on all paths, those of `require` included.
 */
import { globSync, rmSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { rollup } from "rollup"
import { chunksOf, FILES } from "./layout.ts"
import { MESSAGE, messageFirst } from "./message.ts"
import { compiled, marked } from "./modules.ts"
import type { Step } from "./step.ts"
import { vendored } from "./vendored.ts"

/** A package, that for Effect 3 or that for Effect 4. */
interface Package {
  /** Its folder, with src/ in it. */
  readonly root: string
  /** The folder that is filled. */
  readonly out: string
}

/** The path of a source in a map, as from dist/, which stands beside src/ in the package. */
const mapPath =
  ({ out, root }: Package) =>
  (path: string, map: string): string =>
    relative(dirname(join(root, "dist", relative(out, map))), resolve(dirname(map), path))

/** Removes the compiler's file of each module, where chunks have its code. */
const sweep = (out: string, made: ReadonlySet<string>): void => {
  for (const file of globSync("**/*.js{,.map}", { cwd: out })) {
    if (!made.has(file) && !MESSAGE.test(file)) rmSync(join(out, file))
  }
}

const inputsIn = (source: string): Record<string, string> => {
  const files = FILES.flatMap((glob) => globSync(glob, { cwd: source }))
  return Object.fromEntries(files.map((file) => [file.replace(/\.ts$/, ""), join(source, file)]))
}

/** Replaces the compiler's JavaScript in `out`. */
export const joinModules = async ({ out, root }: Package): Promise<void> => {
  const source = join(root, "src")
  const bundle = await rollup({
    input: inputsIn(source),
    // Other packages: their values must be those of the app's own copies.
    external: (id) => /^[\w@]/.test(id),
    treeshake: { moduleSideEffects: (_, isExternal) => !isExternal },
    plugins: [messageFirst(), vendored(), marked, compiled]
  })
  let chunkOf: ReadonlyMap<string, string> | undefined
  const { output } = await bundle.write({
    dir: out,
    entryFileNames: "[name].js",
    chunkFileNames: "internal/[name].js",
    manualChunks: (file, { getModuleInfo: infoOf }) => (chunkOf ??= chunksOf({ source, infoOf })).get(file),
    onlyExplicitManualChunks: true,
    hoistTransitiveImports: false,
    minifyInternalExports: false,
    sourcemap: true,
    // The package has its sources.
    sourcemapExcludeSources: true,
    sourcemapPathTransform: mapPath({ root, out: resolve(out) })
  })
  await bundle.close()
  sweep(out, new Set(output.map(({ fileName }) => fileName)))
}

export const chunks: Step = async ({ out }) => {
  await joinModules({ root: resolve(import.meta.dirname, "../.."), out })
  return 0
}
