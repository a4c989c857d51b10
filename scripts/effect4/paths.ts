import { join, resolve } from "node:path"

export const ROOT = resolve(import.meta.dirname, "../..")
/** Packages of Effect 4, and the configurations that use them. */
export const WORKSPACE = join(ROOT, "effect4")
/** The package for Effect 4: derived sources, compiled. */
export const BUILD = join(WORKSPACE, "build")
