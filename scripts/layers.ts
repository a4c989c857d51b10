/**
 * `npm run check`: imports between the folders of `src/internal`, and circles of modules. A folder imports whatever its
 * arrows reach, directly or through others, by values and by types alike; each public module belongs to one of the
 * folders. The table admits no circle, since a folder's arrows only lead to folders above it in the table.
 */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import ts from "typescript"

/** Folders and their arrows, the foundations first. */
const arrows = {
  install: [],
  "needs-effect-3": ["install"],
  util: [],
  redaction: [],
  otel: ["util"],
  options: ["redaction", "util", "needs-effect-3"],
  wire: ["options"],
  overload: ["wire", "otel"],
  http: ["overload"],
  transport: ["http"],
  credential: ["options"],
  config: ["credential", "transport"],
  lease: ["util", "needs-effect-3"],
  quota: ["config"],
  telemetry: ["quota"],
  request: ["telemetry", "lease"],
  sdk: ["request"],
  client: ["sdk"],
  direct: ["client"],
  ai: ["direct"],
  agent: ["ai"],
  batch: ["agent", "direct"],
  promise: ["batch"],
  sandbox: ["http"],
  testing: ["client", "sandbox"],
  cli: ["promise", "agent", "testing"],
  index: ["agent", "promise"],
  require: ["index", "testing"]
} as const satisfies Readonly<Record<string, ReadonlyArray<string>>>

type Folder = keyof typeof arrows

/** Public modules, by folder. Those in folders of `src` belong to the folders of their names. */
const modules: Readonly<Record<string, Folder>> = {
  Agent: "agent",
  AzureOpenAiApi: "direct",
  AzureOpenAiClient: "client",
  AzureOpenAiModel: "ai",
  Batch: "batch",
  CerebrasApi: "direct",
  CerebrasClient: "client",
  CerebrasModel: "ai",
  ClientConfig: "config",
  ClientError: "options",
  ClientLayer: "client",
  ClientMap: "client",
  Credential: "credential",
  Failover: "client",
  GroqApi: "direct",
  GroqClient: "client",
  GroqModel: "ai",
  HttpClient: "client",
  LeaseMap: "lease",
  OpenAiApi: "direct",
  OpenAiClient: "client",
  OpenAiModel: "ai",
  Promise: "promise",
  Provider: "client",
  Quota: "quota",
  QuotaRedis: "quota",
  Telemetry: "client",
  ToolLoop: "agent",
  Transport: "transport",
  index: "index",
  register: "promise"
}

const root = resolve(import.meta.dirname, "..")

const folderOf = (file: string): Folder | undefined => {
  const [first = "", second = ""] = file.split("/")
  const name = first === "internal" ? second : first.endsWith("ts") ? modules[first.replace(/\.[cm]?ts$/, "")] : first
  return name !== undefined && name in arrows ? (name as Folder) : undefined
}

const reachOf = (folder: Folder): ReadonlySet<string> => {
  const reach = new Set<string>([folder])
  for (const one of reach) for (const next of arrows[one as Folder]) reach.add(next)
  return reach
}

/** One line for each import against the table, and for each file that is in no folder of it. */
export const breaches = (src: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => /\.[cm]?ts$/.test(file))
  for (const file of files.toSorted()) {
    const folder = folderOf(file)
    if (folder === undefined || /^internal\/[^/]+$/.test(file)) {
      found.push(`${file}: belongs to no folder of scripts/layers.ts. Move it to one, or add its folder to the table`)
      continue
    }
    const reach = reachOf(folder)
    const { importedFiles } = ts.preProcessFile(readFileSync(join(src, file), "utf8"), true, true)
    for (const { fileName } of importedFiles) {
      if (!fileName.startsWith(".")) continue
      const target = relative(src, resolve(src, dirname(file), fileName))
      const to = folderOf(target)
      if (to !== undefined && !reach.has(to)) found.push(`${file}: ${folder} must not import ${to} (${target})`)
    }
  }
  return found
}

/**
 * Lines that tell each circle of modules, of imports by types too. A public module and its own implementation in
 * `src/internal` may import each other's types, so paths through public modules are not followed.
 */
export const circles = (src: string): ReadonlyArray<string> => {
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) =>
    /^internal.*\.[cm]?ts$/.test(file)
  )
  const imports = new Map(
    files.toSorted().map((file) => {
      const { importedFiles } = ts.preProcessFile(readFileSync(join(src, file), "utf8"), true, true)
      const targets = importedFiles.map(({ fileName }) => relative(src, resolve(src, dirname(file), fileName)))
      return [file, targets.filter((target) => target.startsWith("internal/"))]
    })
  )
  const found: Array<string> = []
  const done = new Set<string>()
  const visit = (file: string, path: ReadonlyArray<string>): void => {
    const at = path.indexOf(file)
    if (at >= 0)
      found.push(`${[...path.slice(at), file].join(" -> ")}: a circle. Move what they share to a third module`)
    if (at >= 0 || done.has(file)) return
    for (const target of imports.get(file) ?? []) visit(target, [...path, file])
    done.add(file)
  }
  for (const file of imports.keys()) visit(file, [])
  return found
}

/** Folders whose arrows lead down the table, which is how a circle would begin. */
export const downward = (table: Readonly<Record<string, ReadonlyArray<string>>> = arrows): ReadonlyArray<string> => {
  const order = Object.keys(table)
  return order.flatMap((from, at) =>
    table[from]!.filter((to) => order.indexOf(to) >= at).map((to) => `${from} -> ${to}: arrows lead up the table only`)
  )
}

if (import.meta.main) {
  const found = [...downward(), ...breaches(join(root, "src")), ...circles(join(root, "src"))]
  for (const line of found) console.error(line)
  console.log(`${Object.keys(arrows).length} folders, ${found.length} breaches`)
  process.exitCode = found.length > 0 ? 1 : 0
}
