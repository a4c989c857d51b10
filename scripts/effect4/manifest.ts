/** The manifest of the package for Effect 4, from that for Effect 3. */
type Manifest = Record<string, unknown> & {
  readonly version: string
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, object>>
  readonly sideEffects: ReadonlyArray<string>
  readonly exports: Readonly<Record<string, unknown>>
}

/** Peers of the line for 4: the minors that are tested, since `effect/ai`, `effect/http` and others are unstable. */
const EFFECT_4 = "~4.1.0"
/** The sandbox and `Arbitraries` use it. Effect 4 no longer brings it. */
const FAST_CHECK = "^4.0.0"

/** Parts of Effect 4 that were packages of their own. */
const isWithin4 = (name: string): boolean => name.startsWith("@effect/")

const without = <A>(record: Readonly<Record<string, A>>): Record<string, A> =>
  Object.fromEntries(Object.entries(record).filter(([name]) => !isWithin4(name)))

const sorted = <A>(record: Readonly<Record<string, A>>): Record<string, A> =>
  Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)))

/** `4.n.p` and `3.n.p` come from one commit. */
const versionOf = (version: string): string => {
  if (!/^3\.\d+\.\d+/.test(version)) throw new Error(`${version} is no version of the line for Effect 3`)
  return version.replace(/^3/, "4")
}

/** Paths to import that have a source. */
const exportsOf = (
  exports: Readonly<Record<string, unknown>>,
  pending: ReadonlySet<string>
): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(exports).filter(([path]) => !pending.has(`src/${path.slice(2)}.ts`)))

/** `pending` are sources that are not derived. */
export const manifestOf = (manifest: Manifest, pending: ReadonlySet<string>): object => {
  const { devDependencies: _, scripts: __, allowScripts: ___, ...rest } = manifest
  return {
    ...rest,
    exports: exportsOf(manifest.exports, pending),
    version: versionOf(manifest.version),
    sideEffects: manifest.sideEffects.map((file) => file.replace("needs-effect-3", "needs-effect-4")),
    dependencies: { "fast-check": FAST_CHECK },
    peerDependencies: sorted({ ...without(manifest.peerDependencies), effect: EFFECT_4 }),
    peerDependenciesMeta: without(manifest.peerDependenciesMeta)
  }
}
