/** Rewrites one file by the rules: members and names first, then calls, classes and the imports that all of it needs. */
import ts from "typescript"
import { lazySpecifierOf, rewriteImports, type Scope, scopeOf } from "./imports.ts"
import { type Captures, isMember, match, parse, type Pattern } from "./pattern.ts"
import { movedTo, namespace3 } from "./namespaces.ts"

export interface Rule {
  /** TypeScript for Effect 3, with holes. */
  readonly from: string
  /** TypeScript for Effect 4, with the same holes. */
  readonly to: string
  readonly why: string
  /** A module of Effect 3 that a file must import for the rule to apply to it. */
  readonly within?: string
}

interface Compiled {
  readonly rule: Rule
  readonly pattern: Pattern
  used: number
}

/** A member of whatever value, where it is read and where an object has it. */
const isMemberRule = (text: string): boolean => /^\.\w+$/.test(text)

const isName = (text: string): boolean => /^[A-Z]\w*(?:\.\w+)+$/.test(text)

/** The name as far as it can be seen from the outside: `Effect.map`, or the member behind an unknown value. */
const headOf = (node: ts.Node): string | undefined => {
  if (ts.isCallExpression(node) || ts.isNewExpression(node)) return headOf(node.expression)
  if (ts.isPropertyAccessExpression(node)) return node.name.text
  if (ts.isExpressionWithTypeArguments(node)) return headOf(node.expression)
  if (ts.isTypeReferenceNode(node)) return headOf(node.typeName)
  if (ts.isQualifiedName(node)) return node.right.text
  if (ts.isClassDeclaration(node)) return "class"
  if (ts.isIdentifier(node)) return node.text
  if (ts.isPropertyAssignment(node)) return headOf(node.name)
  if (ts.isBinaryExpression(node)) return "binary"
  return undefined
}

const LOOSE: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.BinaryExpression,
  ts.SyntaxKind.ConditionalExpression,
  ts.SyntaxKind.ArrowFunction,
  ts.SyntaxKind.YieldExpression,
  ts.SyntaxKind.AwaitExpression,
  ts.SyntaxKind.AsExpression
])

export class Rules {
  readonly #names = new Map<string, { readonly to: string; used: number }>()
  readonly #patterns = new Map<string, Array<Compiled>>()

  constructor(rules: ReadonlyArray<Rule>) {
    for (const rule of rules) {
      if (isName(rule.from) || isMemberRule(rule.from)) {
        this.#names.set(rule.from, { to: rule.to, used: 0 })
        continue
      }
      const pattern = parse(rule.from)
      const head = headOf(pattern.node)
      if (head === undefined) throw new Error(`the pattern ${rule.from} has no name to look for`)
      const known = this.#patterns.get(head) ?? []
      this.#patterns.set(head, known)
      known.push({ rule, pattern, used: 0 })
    }
  }

  /** Rules that no file has needed. */
  get unused(): ReadonlyArray<string> {
    const names = [...this.#names].filter(([, { used }]) => used === 0).map(([from]) => from)
    const patterns = [...this.#patterns.values()].flat().filter(({ used }) => used === 0)
    return [...names, ...patterns.map(({ rule }) => rule.from)]
  }

  rewrite(file: string, text: string): string {
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
    const scope = scopeOf(source)
    const body = new Rewriting(this, source, scope).print(source)
    return rewriteImports(file, body, scope)
  }

  name(path: string): string | undefined {
    const found = this.#names.get(path)
    if (found !== undefined) found.used++
    return found?.to
  }

  patternsOf(node: ts.Node): ReadonlyArray<Compiled> {
    const head = headOf(node)
    return head === undefined ? [] : (this.#patterns.get(head) ?? [])
  }
}

class Rewriting {
  readonly rules: Rules
  readonly source: ts.SourceFile
  readonly scope: Scope

  constructor(rules: Rules, source: ts.SourceFile, scope: Scope) {
    this.rules = rules
    this.source = source
    this.scope = scope
  }

  /** The node's text, without what leads it, with all in it rewritten. */
  print(node: ts.Node): string {
    if (ts.isImportDeclaration(node)) return this.#importOf(node)
    const lazy = lazySpecifierOf(node)?.text
    if (lazy !== undefined) return `import(${JSON.stringify(movedTo(lazy))})`
    return this.#byName(node) ?? this.#byPattern(node) ?? this.#inner(node)
  }

  /** Its own text, with each child replaced by what becomes of it. */
  #inner(node: ts.Node): string {
    const { text } = this.source
    const start = ts.isSourceFile(node) ? 0 : node.getStart(this.source)
    let done = start
    let out = ""
    ts.forEachChild(node, (child) => {
      const from = child.getStart(this.source)
      if (from < done) return
      out += text.slice(done, from) + this.print(child)
      done = child.getEnd()
    })
    return out + text.slice(done, node.getEnd())
  }

  /** Members that a file imports by name keep their local one. */
  #importOf(node: ts.ImportDeclaration): string {
    const text = node.getText(this.source)
    const bindings = node.importClause?.namedBindings
    if (!ts.isStringLiteral(node.moduleSpecifier) || bindings === undefined || !ts.isNamedImports(bindings)) return text
    const module = node.moduleSpecifier.text
    if (!/^@?effect\//.test(module)) return text
    return bindings.elements.reduce((out, { name, propertyName }) => {
      const to = this.rules
        .name(`${namespace3.nameOf(module)}.${(propertyName ?? name).text}`)
        ?.split(".")
        .at(-1)
      return to === undefined ? out : out.replace(new RegExp(`\\b${name.text}\\b`), `${to} as ${name.text}`)
    }, text)
  }

  #byName(node: ts.Node): string | undefined {
    if (ts.isIdentifier(node) && isMember(node)) return this.rules.name(`.${node.text}`)?.slice(1)
    if (ts.isIdentifier(node)) {
      return isDeclared(node) ? undefined : this.scope.moved(node)
    }
    if (!ts.isPropertyAccessExpression(node) && !ts.isQualifiedName(node)) return undefined
    const path = pathOf(node)
    const module = path === undefined ? undefined : this.scope.moduleOf(path.root)
    if (path === undefined || module === undefined) return undefined
    const to = this.rules.name([namespace3.nameOf(module), ...path.members].join("."))
    return to === undefined ? undefined : this.scope.localize(to)
  }

  #byPattern(node: ts.Node): string | undefined {
    for (const compiled of this.rules.patternsOf(node)) {
      const { pattern, rule } = compiled
      if (rule.within !== undefined && !this.scope.imports(rule.within)) continue
      const captures = new Map<string, ReadonlyArray<ts.Node>>()
      if (!match(pattern.node, node, (name) => this.scope.moduleOf(name), namespace3.moduleOf, captures)) continue
      compiled.used++
      const modifiers = ts.isClassDeclaration(node) ? (node.modifiers ?? []).map((one) => `${one.getText()} `) : []
      const filled = modifiers.join("") + this.#fill(rule.to, captures)
      // An object that comes to be the body of an arrow function would be a block.
      return ts.isArrowFunction(node.parent) && filled.startsWith("{") ? `(${filled})` : filled
    }
    return undefined
  }

  /** Neighbours, with what is between them. */
  #list(nodes: ReadonlyArray<ts.Node>): string {
    const { text } = this.source
    return nodes
      .map((node, i) => {
        const before = nodes[i - 1]
        return (before === undefined ? "" : text.slice(before.getEnd(), node.getStart(this.source))) + this.print(node)
      })
      .join("")
  }

  #fill(template: string, captures: Captures): string {
    const filled = this.scope.localize(template).replace(/<\$\$\w+>|\$\$?\w+/g, (hole, at: number, whole: string) => {
      const isList = hole.startsWith("<")
      const nodes = captures.get(isList ? hole.slice(1, -1) : hole)
      if (nodes === undefined) throw new Error(`the template ${template} has a hole that its pattern lacks: ${hole}`)
      const text = this.#list(nodes)
      if (isList) return nodes.length === 0 ? "" : `<${text}>`
      const isClosed =
        /[([,{`:]\s*$|=>\s*$|^$/.test(whole.slice(0, at)) && /^\s*[)\],}`]|^$/.test(whole.slice(at + hole.length))
      const isBody = /=>\s*$/.test(whole.slice(0, at)) && ts.isObjectLiteralExpression(nodes[0]!)
      return isBody || (nodes.length === 1 && LOOSE.has(nodes[0]!.kind) && !isClosed) ? `(${text})` : text
    })
    // A list that was empty leaves its comma.
    return filled.replace(/, (?=\))/g, "")
  }
}

/** True for the name of a declaration, which stays. */
const isDeclared = (node: ts.Identifier): boolean => {
  const { parent } = node
  return (
    ts.isImportSpecifier(parent) ||
    ts.isNamespaceImport(parent) ||
    ((ts.isVariableDeclaration(parent) || ts.isParameter(parent) || ts.isClassDeclaration(parent)) &&
      parent.name === node)
  )
}

const pathOf = (
  node: ts.PropertyAccessExpression | ts.QualifiedName
): { readonly root: ts.Identifier; readonly members: ReadonlyArray<string> } | undefined => {
  const [left, right] = ts.isQualifiedName(node) ? [node.left, node.right] : [node.expression, node.name]
  if (ts.isIdentifier(left)) return { root: left, members: [right.text] }
  if (!ts.isPropertyAccessExpression(left) && !ts.isQualifiedName(left)) return undefined
  const path = pathOf(left)
  return path === undefined ? undefined : { root: path.root, members: [...path.members, right.text] }
}
