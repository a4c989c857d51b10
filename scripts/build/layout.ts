/** The files of dist/, and the modules that each of them holds. */
import { join, matchesGlob, relative } from "node:path"
import type { GetModuleInfo } from "rollup"

interface Chunk {
  readonly name: string
  /** Modules that need it. */
  readonly roots: ReadonlyArray<string>
  /** True if modules that only these roots need are left out of it. @default false */
  readonly isSharedOnly?: boolean
}

const PROVIDERS = ["OpenAi", "AzureOpenAi", "Groq", "Cerebras"]

/**
 * A chunk holds what its roots import beyond the chunks above it, so it imports those alone, and a path loads no more than
 * the chunks down to its own.
 */
const CHUNKS: ReadonlyArray<Chunk> = [
  // Loaded where no Effect may be.
  { name: "preload", roots: ["register", "cli/main", "cli/doctor"], isSharedOnly: true },
  { name: "errors", roots: ["ClientError"] },
  { name: "engine", roots: ["Promise", "promise/openai", "promise/groq", "promise/cerebras"] },
  {
    name: "clients",
    roots: ["index", ...PROVIDERS.map((name) => `${name}Client`), ...PROVIDERS.map((name) => `${name}Api`)]
  },
  { name: "models", roots: [...PROVIDERS.map((name) => `${name}Model`), "ToolLoop"] },
  { name: "testing", roots: ["testing/Sandbox", "testing/ClientMapTest", "testing/Arbitraries", "testing/leakCheck"] }
]

const PUBLIC = "{,promise/,testing/}*.ts"

/** Modules that depend on the path of their own file. */
const FIXED = [
  "cli/*.ts",
  "cli/vendor/*.ts",
  "internal/install/{node,requirements}.ts",
  "internal/promise/register/{trap,pooledClasses}.ts",
  "internal/promise/register/fetch/{install,send}.ts"
]

/** Modules with a file at their own path: for package.json, `*.cts` and code that finds them by URL. */
export const FILES: ReadonlyArray<string> = [PUBLIC, "internal/promise/getters/*.ts", ...FIXED]

export interface Graph {
  /** Folder of the sources. */
  readonly source: string
  readonly infoOf: GetModuleInfo
}

/** Chunks whose roots reach a module, by module. */
const reached = ({ infoOf, source }: Graph): ReadonlyMap<string, ReadonlyArray<Chunk>> => {
  const chunksOf = new Map<string, Array<Chunk>>()
  const visit = (file: string, chunk: Chunk): void => {
    const chunks = chunksOf.get(file) ?? []
    const info = infoOf(file)
    if (info === null || info.isExternal || chunks.includes(chunk)) return
    chunksOf.set(file, [...chunks, chunk])
    for (const imported of info.importedIds) visit(imported, chunk)
  }
  for (const chunk of CHUNKS) for (const root of chunk.roots) visit(join(source, `${root}.ts`), chunk)
  return chunksOf
}

/** True for a module whose code is in its own file. A public module that no other one imports has its SDK with it. */
const isAlone = (name: string, importers: ReadonlyArray<string>): boolean =>
  FIXED.some((glob) => matchesGlob(name, glob)) || (matchesGlob(name, PUBLIC) && importers.length === 0)

/** Names of the chunks of modules. Others are files of their own, or in the files of those that need them. */
export const chunksOf = (graph: Graph): ReadonlyMap<string, string> => {
  const names = new Map<string, string>()
  for (const [file, [chunk, next]] of reached(graph)) {
    if (chunk === undefined || (chunk.isSharedOnly === true && next === undefined)) continue
    if (!isAlone(relative(graph.source, file), graph.infoOf(file)?.importers ?? [])) names.set(file, chunk.name)
  }
  return names
}
