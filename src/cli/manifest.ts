/** This package's own manifest and folder. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

interface Manifest {
  readonly version: string
  readonly engines: { readonly node: string }
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>
}

export const folder = fileURLToPath(new URL("../..", import.meta.url))

export const manifest: Manifest = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8")
) as Manifest
