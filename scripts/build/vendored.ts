/**
 * Bundles what the command alone needs, so that it is no dependency of this package: each module of `src/cli/vendor` with the
 * packages that it imports, into a file that is loaded when it is used. Packages are bundled nowhere else, so that the command
 * and an agent of the user's share `effect`, the SDKs and this package. The packages' licenses go into a file beside them.
 */
import { build, type Metafile } from "esbuild"
import { globSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import type { Plugin } from "rollup"

const root = resolve(import.meta.dirname, "../..")
const FOLDER = "src/cli/vendor"

const NOTICES = "cli/vendor/THIRD-PARTY-NOTICES.md"

/** True for a module whose code is that of other packages. */
export const isVendored = (file: string): boolean => dirname(file).endsWith(`/${FOLDER}`)

/** The package that a file in `node_modules` belongs to. */
const packageOf = (input: string): string | undefined => /^.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1]

const namesIn = (metafiles: ReadonlyArray<Metafile>): ReadonlyArray<string> => {
  const inputs = metafiles.flatMap((metafile) => Object.keys(metafile.inputs))
  return [...new Set(inputs.flatMap((input) => packageOf(input) ?? []))].toSorted()
}

const bundle = async (file: string) => {
  const { metafile, outputFiles } = await build({
    entryPoints: [file],
    write: false,
    outdir: "unwritten",
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node22",
    minify: true,
    // Escaped, the ranks of a tokenizer would be a quarter longer.
    charset: "utf8",
    legalComments: "none",
    metafile: true,
    logLevel: "warning"
  })
  return { metafile, code: outputFiles[0]!.text }
}

/** Names of the packages that are bundled, and of those that they bring. */
export const bundledPackages = async (): Promise<ReadonlyArray<string>> => {
  const folder = join(root, FOLDER)
  const files = globSync("*.ts", { cwd: folder })
  const bundles = await Promise.all(files.map((file) => bundle(join(folder, file))))
  return namesIn(bundles.map(({ metafile }) => metafile))
}

interface Manifest {
  readonly version: string
  readonly license: string
}

const notice = (name: string): ReadonlyArray<string> => {
  const place = join(root, "node_modules", name)
  const { license, version } = JSON.parse(readFileSync(join(place, "package.json"), "utf8")) as Manifest
  const file = readdirSync(place).find((one) => /^licen[cs]e/i.test(one))
  if (file === undefined) throw new Error(`${name} has no license file, and so can't be bundled`)
  return ["", `## ${name} ${version} (${license})`, "", readFileSync(join(place, file), "utf8").trim()]
}

/** Text of the licenses of packages. */
const notices = (names: ReadonlyArray<string>): string =>
  `${["# Third-party notices", "", "Files in this folder hold code of these packages.", ...names.flatMap(notice)].join("\n")}\n`

export const vendored = (): Plugin => {
  const metafiles: Array<Metafile> = []
  return {
    name: "vendored",
    load: async (file) => {
      if (!isVendored(file)) return null
      const { code, metafile } = await bundle(file)
      metafiles.push(metafile)
      return { code, map: { mappings: "" } }
    },
    generateBundle() {
      this.emitFile({ type: "asset", fileName: NOTICES, source: notices(namesIn(metafiles)) })
    }
  }
}
