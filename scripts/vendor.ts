/**
 * Bundles what the command alone needs, so that it is no dependency of this package: each module of `src/cli/vendor` with the
 * packages that it imports, into one file that is loaded when it is used. Nothing else is bundled, so that the command and
 * an agent of the user's share `effect`, the SDKs and this package. The packages' licenses go into a file beside them.
 */
import { build, type BuildOptions, type Metafile } from "esbuild"
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
const source = join(root, "src/cli/vendor")

const NOTICES = "THIRD-PARTY-NOTICES.md"

interface Bundled {
  readonly name: string
  readonly version: string
  readonly license: string
  readonly text: string
}

/** The package that a file in `node_modules` belongs to. */
const packageOf = (input: string): string | undefined => /^.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1]

const bundled = (name: string): Bundled => {
  const folder = join(root, "node_modules", name)
  const { license, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Bundled
  const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file))
  if (file === undefined) throw new Error(`${name} has no license file, and so can't be bundled`)
  return { name, version, license, text: readFileSync(join(folder, file), "utf8").trim() }
}

const notices = (packages: ReadonlyArray<Bundled>): string =>
  [
    "# Third-party notices",
    "",
    "Files in this folder hold code of these packages.",
    ...packages.flatMap(({ license, name, text, version }) => ["", `## ${name} ${version} (${license})`, "", text])
  ].join("\n") + "\n"

const options = {
  entryPoints: readdirSync(source).map((file) => join(source, file)),
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
} as const satisfies BuildOptions

const namesIn = ({ inputs }: Metafile): ReadonlyArray<string> =>
  [...new Set(Object.keys(inputs).flatMap((input) => packageOf(input) ?? []))].toSorted()

/** Names of the packages that are bundled, and of those that they bring. */
export const bundledPackages = async (): Promise<ReadonlyArray<string>> =>
  namesIn((await build({ ...options, outdir: "unwritten", write: false })).metafile)

/** Bundles into a build of this package. */
const bundleInto = async (dist: string): Promise<void> => {
  const folder = join(dist, "cli/vendor")
  if (!existsSync(folder)) throw new Error(`${folder} is not there; compile first`)
  const { metafile } = await build({ ...options, outdir: folder })
  // The compiler's, which describe files that are no more.
  for (const file of readdirSync(folder)) if (/\.(d\.ts|map)$/.test(file)) rmSync(join(folder, file))
  writeFileSync(join(folder, NOTICES), notices(namesIn(metafile).map(bundled)))
}

if (import.meta.main) await bundleInto(resolve(process.argv[2] ?? join(root, "dist")))
