/** The files of dist/, and the modules that each of them holds. */
import { join, matchesGlob, relative } from "node:path"
import type { GetModuleInfo } from "rollup"

/**
 * Chunks, and the modules that need them. A chunk holds what these import beyond the chunks above it, so it imports those
 * alone, and a path loads no more than the chunks down to its own.
 */
const CHUNKS: ReadonlyArray<readonly [name: string, roots: ReadonlyArray<string>]> = [
  ["preload", ["register"]],
  ["errors", ["ClientError"]],
  ["engine", ["Promise", "promise/openai", "promise/groq", "promise/cerebras"]],
  ["clients", ["index", "OpenAiClient", "AzureOpenAiClient", "GroqClient", "CerebrasClient"]],
  ["apis", ["OpenAiApi", "AzureOpenAiApi", "GroqApi", "CerebrasApi"]],
  ["models", ["OpenAiModel", "AzureOpenAiModel", "GroqModel", "CerebrasModel", "ToolLoop"]],
  ["testing", ["testing/Sandbox", "testing/ClientMapTest", "testing/Arbitraries", "testing/leakCheck"]]
]

const PUBLIC = "{,promise/,testing/}*.ts"

/** Modules that depend on the path of their own file. */
const FIXED = [
  "cli/*.ts",
  "internal/install/{node,requirements}.ts",
  "internal/promise/register/{trap,pooledClasses}.ts",
  "internal/promise/register/fetch/{install,send}.ts"
]

/** Modules with a file at their own path: for package.json, `*.cts` and code that finds them by URL. */
export const FILES: ReadonlyArray<string> = [PUBLIC, "internal/promise/getters/*.ts", ...FIXED]

export interface Graph {
  /** Folder of the sources. */
  readonly source: string
  readonly modules: Iterable<string>
  readonly infoOf: GetModuleInfo
}

/** Rows of CHUNKS by the modules that they reach. */
const reached = ({ infoOf, source }: Graph): ReadonlyMap<string, ReadonlyArray<number>> => {
  const rowsOf = new Map<string, Array<number>>()
  const visit = (file: string, row: number): void => {
    const rows = rowsOf.get(file) ?? []
    const info = infoOf(file)
    if (info === null || info.isExternal || rows.includes(row)) return
    rowsOf.set(file, [...rows, row])
    for (const imported of info.importedIds) visit(imported, row)
  }
  for (const [row, [, roots]] of CHUNKS.entries()) for (const root of roots) visit(join(source, `${root}.ts`), row)
  return rowsOf
}

/** True for a module whose code is in its own file. A public module that no other one imports has its SDK with it. */
const isAlone = (name: string, importers: ReadonlyArray<string>): boolean =>
  FIXED.some((glob) => matchesGlob(name, glob)) || (matchesGlob(name, PUBLIC) && importers.length === 0)

/** The chunk of each module. Others are files of their own, or in the files of those that need them. */
export const chunksOf = (graph: Graph): ReadonlyMap<string, string> => {
  const rowsOf = reached(graph)
  const chunks = new Map<string, string>()
  for (const file of graph.modules) {
    const rows = rowsOf.get(file) ?? []
    const [name, roots = []] = CHUNKS[rows[0] ?? -1] ?? []
    // A chunk for one module has what others share with it.
    const isShared = rows.length > 1 || roots.length > 1
    if (name !== undefined && isShared && !isAlone(relative(graph.source, file), graph.infoOf(file)?.importers ?? [])) {
      chunks.set(file, name)
    }
  }
  return chunks
}
