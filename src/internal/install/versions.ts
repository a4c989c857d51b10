/** Versions of installed packages, read from their manifests without loading them, and the ranges that they should be in. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

const attempt = (read: () => unknown): string | undefined => {
  try {
    const { version } = read() as { readonly version?: unknown }
    return typeof version === "string" ? version : undefined
  } catch {
    return undefined
  }
}

/** Version of a package that exports no manifest, read from the `node_modules` of this folder or the nearest above. */
const above = (name: string, from: string): string | undefined =>
  attempt(() => JSON.parse(readFileSync(join(from, "node_modules", name, "package.json"), "utf8"))) ??
  (dirname(from) === from ? undefined : above(name, dirname(from)))

/** The version that a module in this folder gets when it imports the package; `undefined` for none. */
export const installed = (name: string, from: string): string | undefined =>
  attempt(() => createRequire(join(from, "index.js"))(`${name}/package.json`)) ?? above(name, from)

const parts = (version: string): ReadonlyArray<number> => version.split(/[.+-]/, 3).map(Number)

const compare = (a: string, b: string): number => {
  const [one, other] = [parts(a), parts(b)]
  for (let i = 0; i < 3; i++) {
    const difference = (one[i] ?? 0) - (other[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** `^1.2.3` keeps the first number that is not 0. */
const inCaret = (version: string, least: string): boolean => {
  const first = parts(least).findIndex((part) => part !== 0)
  return compare(version, least) >= 0 && parts(least).every((part, i) => i > first || parts(version)[i] === part)
}

/** `~1.2.3` keeps the first two numbers. */
const inTilde = (version: string, least: string): boolean =>
  compare(version, least) >= 0 && [0, 1].every((i) => parts(version)[i] === parts(least)[i])

/** For the ranges of this package's own manifest: `>=1.2`, `^1.2.3`, `~1.2.3`, and several of them with `||`. */
export const satisfies = (version: string, range: string): boolean =>
  range.split("||").some((one) => {
    const [, sign = "", least = ""] = /^\s*(\^|~|>=)([\d.]+)\s*$/.exec(one) ?? []
    if (sign === "~") return inTilde(version, least)
    return sign === "^" ? inCaret(version, least) : sign === ">=" && compare(version, least) >= 0
  })
