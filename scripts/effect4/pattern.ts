/**
 * Patterns of TypeScript, matched against the syntax tree. `$x` stands for any expression or type, the same wherever it
 * recurs; `$$x` stands for the remaining arguments, type arguments or properties. A leading namespace (`Effect.fork`) stands for the
 * module that a file imports, by whatever name.
 */
import ts from "typescript"

/** Syntax by the names of a pattern's holes. */
export type Captures = ReadonlyMap<string, ReadonlyArray<ts.Node>>

/** The module that an identifier of the file is a namespace of. */
export type ModuleOf = (name: ts.Identifier) => string | undefined

export interface Pattern {
  readonly node: ts.Node
  readonly source: ts.SourceFile
}

export const parse = (text: string): Pattern => {
  if (text.startsWith("type ")) {
    const source = ts.createSourceFile("pattern.ts", `type T = ${text.slice(5)}`, ts.ScriptTarget.Latest, true)
    return { node: (source.statements[0] as ts.TypeAliasDeclaration).type, source }
  }
  if (/^\w+: /.test(text)) {
    const source = ts.createSourceFile("pattern.ts", `({ ${text} })`, ts.ScriptTarget.Latest, true)
    const [statement] = source.statements
    const { expression } = (statement as ts.ExpressionStatement).expression as ts.ParenthesizedExpression
    return { node: (expression as ts.ObjectLiteralExpression).properties[0]!, source }
  }
  const isStatement = text.startsWith("class ")
  const source = ts.createSourceFile("pattern.ts", isStatement ? text : `(${text})`, ts.ScriptTarget.Latest, true)
  const [statement] = source.statements
  if (statement === undefined) throw new Error(`no syntax in the pattern ${text}`)
  if (isStatement) return { node: statement, source }
  if (!ts.isExpressionStatement(statement) || !ts.isParenthesizedExpression(statement.expression)) {
    throw new Error(`neither an expression nor a class: ${text}`)
  }
  return { node: statement.expression.expression, source }
}

const hole = (node: ts.Node): string | undefined => {
  if (ts.isTypeReferenceNode(node) && node.typeArguments === undefined) return hole(node.typeName)
  if (ts.isShorthandPropertyAssignment(node)) return hole(node.name)
  return ts.isIdentifier(node) && node.text.startsWith("$") ? node.text : undefined
}

const childrenOf = (node: ts.Node): ReadonlyArray<ts.Node> => {
  const children: Array<ts.Node> = []
  ts.forEachChild(node, (child) => void children.push(child))
  return children
}

/** Lists of a call that a `$$` may close, apart from its other children. */
const listsOf = (node: ts.Node): ReadonlyArray<ReadonlyArray<ts.Node>> => {
  if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
    return [[node.expression], node.typeArguments ?? [], node.arguments ?? []]
  }
  if (ts.isTypeReferenceNode(node)) return [[node.typeName], node.typeArguments ?? []]
  if (ts.isExpressionWithTypeArguments(node)) return [[node.expression], node.typeArguments ?? []]
  if (ts.isObjectLiteralExpression(node)) return [node.properties]
  if (ts.isClassDeclaration(node)) return [[node.name ?? node], node.heritageClauses ?? [], node.members]
  return [childrenOf(node)]
}

/** A name before a dot, that is none of a member itself. */
const isRoot = (node: ts.Identifier): boolean => {
  const { parent } = node
  return (
    (ts.isPropertyAccessExpression(parent) && parent.expression === node) ||
    (ts.isQualifiedName(parent) && parent.left === node)
  )
}

const matchList = (
  patterns: ReadonlyArray<ts.Node>,
  nodes: ReadonlyArray<ts.Node>,
  moduleOf: ModuleOf,
  namespace: (name: string) => string | undefined,
  captures: Map<string, ReadonlyArray<ts.Node>>
): boolean => {
  const last = patterns.at(-1)
  const rest = last === undefined ? undefined : hole(last)
  if (rest?.startsWith("$$") === true) {
    const fixed = patterns.slice(0, -1)
    if (nodes.length < fixed.length) return false
    captures.set(rest, nodes.slice(fixed.length))
    return matchList(fixed, nodes.slice(0, fixed.length), moduleOf, namespace, captures)
  }
  return (
    patterns.length === nodes.length &&
    patterns.every((pattern, i) => match(pattern, nodes[i]!, moduleOf, namespace, captures))
  )
}

/** Fills `captures` where the node is of the pattern. `namespace` has the modules of the pattern's own names. */
export const match = (
  pattern: ts.Node,
  node: ts.Node,
  moduleOf: ModuleOf,
  namespace: (name: string) => string | undefined,
  captures: Map<string, ReadonlyArray<ts.Node>>
): boolean => {
  const name = hole(pattern)
  if (name !== undefined) {
    const known = captures.get(name)
    if (known !== undefined) return known[0]!.getText() === node.getText()
    if (ts.isIdentifier(node) && moduleOf(node) !== undefined && isRoot(node)) return false
    captures.set(name, [node])
    return true
  }
  if (pattern.kind !== node.kind) return false
  if (ts.isIdentifier(pattern)) {
    const text = (node as ts.Identifier).text
    const module = isRoot(pattern) ? namespace(pattern.text) : undefined
    return module === undefined ? pattern.text === text : moduleOf(node as ts.Identifier) === module
  }
  if (ts.isLiteralExpression(pattern)) return pattern.text === (node as ts.LiteralExpression).text
  const [lists, others] = [listsOf(pattern), listsOf(node)]
  return lists.every((list, i) => matchList(list, others[i] ?? [], moduleOf, namespace, captures))
}

/** A name behind a dot, or of a property. */
export const isMember = (node: ts.Identifier): boolean => {
  const { parent } = node
  return (
    (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
    (ts.isQualifiedName(parent) && parent.right === node) ||
    (ts.isPropertyAssignment(parent) && parent.name === node) ||
    ((ts.isPropertySignature(parent) || ts.isPropertyDeclaration(parent) || ts.isMethodDeclaration(parent)) &&
      parent.name === node)
  )
}
