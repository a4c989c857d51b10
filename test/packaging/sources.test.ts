/** Syntax that bundlers fail to carry over to CommonJS or into one file, and which published files must avoid. */
import { readdirSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import ts from "typescript"
import { assert, describe, it } from "vitest"

const root = resolve(import.meta.dirname, "../../src")

/**
 * Programs, hooks of Node's loader, and what these alone import: nobody bundles them. And the CommonJS module that `require`
 * loads first, whose `require`s of literals bundlers follow.
 */
const unbundled =
  /^(?:cli\/|register\.ts$|internal\/promise\/register\/|internal\/install\/(?:check\.cts|versions\.ts)$)/

/** Modules that import effect/Schema when it is needed: on Effect 3 it loads fast-check. Bundlers carry its literal name over. */
const lazy = /^internal\/batch\/prompt\/effectSchema\.(?:v4\.)?ts$/

const describeNode = (node: ts.Node): string | undefined => {
  if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) return "import.meta"
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) return "a dynamic import"
  if (ts.isIdentifier(node) && (node.text === "require" || node.text === "createRequire")) return node.text
  const isAwait = ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier !== undefined)
  return isAwait && ts.findAncestor(node, ts.isFunctionLike) === undefined ? "an await outside of functions" : undefined
}

/** In the order of the text. */
const faultsIn = (file: string, text: string): ReadonlyArray<string> => {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const faults: Array<string> = []
  const visit = (node: ts.Node): void => {
    const fault = describeNode(node)
    if (fault !== undefined) {
      faults.push(`${file}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}: ${fault}`)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return faults
}

describe("the published sources", () => {
  it("have no import.meta, require, dynamic import or top-level await in what is bundled", () => {
    const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter(
      (file) => /\.c?ts$/.test(file) && !unbundled.test(file)
    )
    assert.isAbove(files.length, 100)
    assert.deepStrictEqual(
      files
        .flatMap((file) => faultsIn(file, readFileSync(join(root, file), "utf8")))
        .filter((fault) => !(lazy.test(fault.split(":")[0]!) && fault.endsWith("a dynamic import"))),
      []
    )
  })

  it("are checked by a check that can fail", () => {
    const text = `const url = import.meta.url
      const lazily = () => import("undici")
      const require = createRequire(url)
      await lazily()
      const f = async () => await lazily()
      for await (const x of y) continue`
    assert.deepStrictEqual(faultsIn("a.ts", text), [
      "a.ts:1: import.meta",
      "a.ts:2: a dynamic import",
      "a.ts:3: require",
      "a.ts:3: createRequire",
      "a.ts:4: an await outside of functions",
      "a.ts:6: an await outside of functions"
    ])
  })
})
