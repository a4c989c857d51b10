/** Bundles what the command alone needs into the package for Effect 4, as the other's build does. */
import { build } from "esbuild"
import { globSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { bundledPackages, notices } from "../build/vendored.ts"
import { BUILD } from "./paths.ts"

export const bundleVendored = async (): Promise<void> => {
  const out = join(BUILD, "dist/cli/vendor")
  await build({
    entryPoints: globSync("src/cli/vendor/*.ts", { cwd: BUILD }).map((file) => join(BUILD, file)),
    outdir: out,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node22",
    minify: true,
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning"
  })
  writeFileSync(join(out, "THIRD-PARTY-NOTICES.md"), notices(await bundledPackages()))
}
