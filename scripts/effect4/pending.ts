/** Files that are not derived: those on packages that Effect 4 has no version of here, and all on top of them. */
import { dirname, join, normalize } from "node:path"
import ts from "typescript"

const PENDING = /^@effect\/ai-openai\//

/** Tests that are written in Effect 3's own words, of modules that both lines share byte for byte. */
const APART: ReadonlySet<string> = new Set(["test/sandbox/schema.test.ts", "examples/kit.test.ts"])
/** Tests of examples and of the soak, which are not derived, and of scripts, which look at the sources for Effect 3. */
const OF_OTHERS = /^test\/(?:examples|scripts|soak)\//

const targetOf = (file: string, specifier: string): string =>
  normalize(join(dirname(file), specifier))
    .replace(/\.js$/, ".ts")
    .replace(/\.cjs$/, ".cts")

/** `sources` are texts by path. */
export const pendingIn = (sources: ReadonlyMap<string, string>): ReadonlySet<string> => {
  const imports = new Map(
    [...sources].map(([file, text]) => [
      file,
      ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName)
    ])
  )
  const pending = new Set([...sources.keys()].filter((file) => APART.has(file) || OF_OTHERS.test(file)))
  const isPending = (file: string, specifier: string): boolean =>
    specifier.startsWith(".") ? pending.has(targetOf(file, specifier)) : PENDING.test(specifier)
  for (let before = -1; before !== pending.size;) {
    before = pending.size
    for (const [file, specifiers] of imports) {
      if (specifiers.some((specifier) => isPending(file, specifier))) pending.add(file)
    }
  }
  return pending
}
