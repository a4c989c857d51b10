/** Imports of a file: what its names stand for, and what they are to be once it is rewritten. */
import ts from "typescript"
import { isMember } from "./pattern.ts"
import { movedTo, namespace4 } from "./namespaces.ts"

const EFFECT = /^(?:effect|@effect)\/|^fast-check$/

/** A name of the file that stands for a module of Effect. */
interface Namespace {
  readonly local: string
  readonly module: string
  /** True where the module is imported by an expression, as code does that loads only what it uses. */
  readonly isLazy: boolean
}

export interface Scope {
  readonly moduleOf: (name: ts.Identifier) => string | undefined
  readonly imports: (module: string) => boolean
  /** The name that is to stand for what the identifier stands for; `undefined` for the same. */
  readonly moved: (name: ts.Identifier) => string | undefined
  /** TypeScript of a rule in this file's own names. */
  readonly localize: (template: string) => string
  /** All names that may stand for modules of Effect 4 in the rewritten file. */
  readonly locals: ReadonlyMap<string, string>
  /** Names among them that are imported by expressions. */
  readonly lazy: ReadonlySet<string>
}

const namespacesOf = (source: ts.SourceFile): ReadonlyArray<Namespace> =>
  source.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) return []
    const { text: module } = statement.moduleSpecifier
    const bindings = statement.importClause?.namedBindings
    return EFFECT.test(module) && bindings !== undefined && ts.isNamespaceImport(bindings)
      ? [{ local: bindings.name.text, module, isLazy: false }]
      : []
  })

/** The specifier of `import("...")`. */
export const lazySpecifierOf = (node: ts.Node): ts.StringLiteral | undefined => {
  if (!ts.isCallExpression(node) || node.expression.kind !== ts.SyntaxKind.ImportKeyword) return undefined
  const [specifier] = node.arguments
  return specifier !== undefined && ts.isStringLiteral(specifier) ? specifier : undefined
}

/** Finds `const Effect = await import("effect/Effect")`. */
const lazyNamespacesOf = (source: ts.SourceFile): ReadonlyArray<Namespace> => {
  const found: Array<Namespace> = []
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer !== undefined) {
      const { initializer } = node
      const module = ts.isAwaitExpression(initializer) ? lazySpecifierOf(initializer.expression)?.text : undefined
      if (module !== undefined && EFFECT.test(module)) found.push({ local: node.name.text, module, isLazy: true })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** Names that the file declares or imports, whatever for. */
const declaredIn = (source: ts.SourceFile): ReadonlySet<string> => {
  const names = new Set<string>()
  const visit = (node: ts.Node): void => {
    if (
      (ts.isVariableDeclaration(node) ||
        ts.isClassDeclaration(node) ||
        ts.isFunctionDeclaration(node) ||
        ts.isInterfaceDeclaration(node) ||
        ts.isTypeAliasDeclaration(node) ||
        ts.isParameter(node) ||
        ts.isImportSpecifier(node) ||
        ts.isTypeParameterDeclaration(node) ||
        ts.isNamespaceImport(node)) &&
      node.name !== undefined &&
      ts.isIdentifier(node.name)
    ) {
      names.add(node.name.text)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return names
}

export const scopeOf = (source: ts.SourceFile): Scope => {
  const namespaces = [...namespacesOf(source), ...lazyNamespacesOf(source)]
  const modules = new Map(namespaces.map(({ local, module }) => [local, module]))
  const taken = new Set(declaredIn(source))
  for (const { local } of namespaces) taken.delete(local)
  /** Names by modules of Effect 4. */
  const names = new Map<string, string>()
  for (const { local, module } of namespaces) {
    const to = movedTo(module)
    if (to === module || namespace4.nameOf(to) === local || !/^(?:Either|Mailbox|ConfigError|MetricState)$/.test(local))
      names.set(to, local)
  }
  const nameFor = (module: string): string => {
    let name = names.get(module)
    if (name === undefined) {
      name = namespace4.nameOf(module)
      if (taken.has(name)) name = `Effect${name}`
      names.set(module, name)
    }
    return name
  }
  return {
    moduleOf: (name) => modules.get(name.text),
    imports: (module) => namespaces.some((one) => one.module === module) || source.text.includes(`"${module}"`),
    moved: (name) => {
      const module = modules.get(name.text)
      if (module === undefined) return undefined
      const local = nameFor(movedTo(module))
      return local === name.text ? undefined : local
    },
    localize: (template) =>
      template.replace(/(?<![\w.$"'])[A-Z]\w*(?=\.\w)/g, (name) =>
        GLOBALS.has(name) ? name : nameFor(namespace4.moduleOf(name))
      ),
    get locals() {
      return new Map([...names].map(([module, local]) => [local, module]))
    },
    lazy: new Set(namespaces.filter(({ isLazy }) => isLazy).map(({ local }) => local))
  }
}

/** The file whose name is a message names the major, so it has another name. */
export const ownPath = (path: string): string =>
  path.replace("needs-effect-3/run-npm-install-effect@3", "needs-effect-4/run-npm-install-effect@4")

/** Names in rules that are not of Effect. */
const GLOBALS: ReadonlySet<string> = new Set(["Object", "Array", "Number", "Promise", "Error", "Math", "String"])

type Use = "value" | "type"

/** Positions in which names occur: as types alone, or as values. */
const usesOf = (source: ts.SourceFile): ReadonlyMap<string, Use> => {
  const uses = new Map<string, Use>()
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) return
    if (ts.isIdentifier(node) && !isMember(node)) {
      if (!isInType(node)) uses.set(node.text, "value")
      else if (!uses.has(node.text)) uses.set(node.text, "type")
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return uses
}

const isInType = (node: ts.Identifier): boolean => {
  let at: ts.Node = node
  while (ts.isQualifiedName(at.parent) || ts.isPropertyAccessExpression(at.parent)) at = at.parent
  const { parent } = at
  if (ts.isTypeReferenceNode(parent) || ts.isTypeQueryNode(parent) || ts.isTypePredicateNode(parent)) return true
  return (
    ts.isExpressionWithTypeArguments(parent) &&
    ts.isHeritageClause(parent.parent) &&
    (ts.isInterfaceDeclaration(parent.parent.parent) || parent.parent.token === ts.SyntaxKind.ImplementsKeyword)
  )
}

/** The file with the imports that its names need: those of moved modules, those that rules brought, and no other. */
export const rewriteImports = (file: string, text: string, scope: Scope): string => {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const uses = usesOf(source)
  const locals = scope.locals
  const kept = new Set<string>()
  let out = ""
  let done = 0
  let firstAt: number | undefined
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue
    const { text: module } = statement.moduleSpecifier
    const bindings = statement.importClause?.namedBindings
    if (!EFFECT.test(module)) {
      // The message of a wrong pair comes first.
      if (!module.includes("/needs-effect-")) firstAt ??= statement.getStart(source)
      if (ownPath(module) === module) continue
      const { moduleSpecifier } = statement
      out += text.slice(done, moduleSpecifier.getStart(source)) + JSON.stringify(ownPath(module))
      done = moduleSpecifier.getEnd()
      continue
    }
    out += text.slice(done, statement.getStart(source))
    firstAt ??= statement.getStart(source)
    done = statement.getEnd()
    if (bindings === undefined || !ts.isNamespaceImport(bindings)) {
      out += statement.getText(source).replace(`"${module}"`, `"${movedTo(module)}"`)
      continue
    }
    const local = bindings.name.text
    const to = locals.get(local)
    const use = uses.get(local)
    if (to === undefined || use === undefined || kept.has(local)) {
      if (text[done] === "\n") done++
      continue
    }
    kept.add(local)
    out += importOf(local, to, use)
  }
  out += text.slice(done)
  const added = [...locals].filter(([local]) => !kept.has(local) && !scope.lazy.has(local) && uses.has(local))
  if (added.length === 0) return out
  const lines = added.map(([local, module]) => `${importOf(local, module, uses.get(local)!)}\n`).join("")
  const at = firstAt ?? 0
  return out.slice(0, at) + lines + out.slice(at)
}

const importOf = (local: string, module: string, use: Use): string =>
  `import ${use === "type" ? "type " : ""}* as ${local} from "${module}"`
