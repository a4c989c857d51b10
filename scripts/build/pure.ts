/**
 * Marks the calls that make a module's constants and base classes as free of side effects, which package.json's
 * `sideEffects` says of whole modules: bundlers then drop the unused ones of a chunk, as they drop unused modules.
 */
import MagicString from "magic-string"
import ts from "typescript"

const MARK = "/* @__PURE__ */ "

/** Positions of calls that are made as the module is loaded. */
const callsIn = (source: ts.SourceFile): ReadonlySet<number> => {
  const starts = new Set<number>()
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) starts.add(node.getStart(source))
    ts.forEachChild(node, visit)
  }
  for (const statement of source.statements) {
    if (ts.isVariableStatement(statement)) visit(statement)
    if (ts.isClassDeclaration(statement)) statement.heritageClauses?.forEach(visit)
  }
  return starts
}

export const markPure = (code: string, file: string): { readonly code: string; readonly map: string } => {
  const marked = new MagicString(code)
  const source = ts.createSourceFile(file, code, ts.ScriptTarget.Latest, true)
  for (const start of callsIn(source)) marked.appendLeft(start, MARK)
  return { code: marked.toString(), map: marked.generateMap({ hires: true, source: file }).toString() }
}
