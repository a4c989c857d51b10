/**
 * `npm run check`: names that `src/internal` exports. A type's name has one meaning in the whole engine, so it is exported
 * by one module (`Options` may be many, each of its own module); a function is called what it does or returns, also where
 * it is read without its module's name.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import ts from "typescript"

const SHARED: ReadonlySet<string> = new Set(["Options"])
/** Folders whose modules are one for each provider, with the same names in all. */
const PER_PROVIDER = /^direct\/types\//
const WORDLESS: ReadonlySet<string> = new Set(["all", "at", "of", "said", "told"])

const isExported = (statement: ts.Statement): boolean =>
  ts.canHaveModifiers(statement) &&
  (ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false)

const isType = (
  statement: ts.Statement
): statement is ts.InterfaceDeclaration | ts.TypeAliasDeclaration | ts.ClassDeclaration =>
  ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement) || ts.isClassDeclaration(statement)

const valuesOf = (statement: ts.Statement): ReadonlyArray<string> => {
  if (ts.isFunctionDeclaration(statement)) return [statement.name?.text ?? ""]
  if (!ts.isVariableStatement(statement)) return []
  return statement.declarationList.declarations.map(({ name }) => (ts.isIdentifier(name) ? name.text : ""))
}

/** Lines that tell each name exported twice, and each exported value without a name of its own. `sources` are by path. */
export const ambiguous = (sources: ReadonlyMap<string, string>): ReadonlyArray<string> => {
  const found: Array<string> = []
  const types = new Map<string, Set<string>>()
  for (const [file, text] of sources) {
    for (const statement of ts.createSourceFile(file, text, ts.ScriptTarget.Latest).statements) {
      if (!isExported(statement)) continue
      for (const name of valuesOf(statement)) {
        if (WORDLESS.has(name))
          found.push(`${file}: "${name}" says nothing where it is imported; name what it makes or does`)
      }
      if (!isType(statement) || statement.name === undefined || SHARED.has(statement.name.text)) continue
      if (PER_PROVIDER.test(file)) continue
      const name = statement.name.text
      types.set(name, (types.get(name) ?? new Set()).add(file))
    }
  }
  for (const [name, files] of types) {
    if (files.size > 1) found.push(`${[...files].join(", ")}: each exports a type "${name}"; give each its own name`)
  }
  return found
}

/** Modules below `folder` by their paths, without twins for Effect 4, whose names are those of their modules. */
export const sourcesIn = (folder: string): ReadonlyMap<string, string> => {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
    /(?<!\.v4)\.[cm]?ts$/.test(file)
  )
  return new Map(files.toSorted().map((file) => [file, readFileSync(join(folder, file), "utf8")]))
}

if (import.meta.main) {
  const sources = sourcesIn(resolve(import.meta.dirname, "../src/internal"))
  const found = ambiguous(sources)
  for (const line of found) console.error(line)
  console.log(`${sources.size} modules, ${found.length} ambiguous names`)
  process.exitCode = found.length > 0 ? 1 : 0
}
