/**
 * The modules of SDKs that define a client's class. Whatever else exports it, in any copy and version of the SDK, has it
 * from there.
 */
import { readFileSync } from "node:fs"
import type { Name } from "./model.ts"

interface Sdk {
  /** Major versions that the pool supports. */
  readonly majors: ReadonlyArray<number>
  readonly classes: Readonly<Record<string, Name>>
}

const sdks: Readonly<Record<string, Sdk>> = {
  openai: { majors: [5, 6, 7], classes: { client: "OpenAI", azure: "AzureOpenAI" } },
  "groq-sdk": { majors: [1], classes: { client: "Groq" } },
  "@cerebras/cerebras_cloud_sdk": { majors: [1], classes: { index: "Cerebras" } }
}

export interface Found {
  readonly name: Name
  readonly format: "module" | "commonjs"
}

/** An unsupported version of an SDK. Its class may be in another file. */
export interface Unknown {
  /** The SDK and its version. */
  readonly unknown: string
  readonly majors: ReadonlyArray<number>
}

/** A file at the root of a package, which may be installed under another name than its own. */
const candidate = /^file:\/\/.*\/node_modules\/(?:@[^/]+\/)?[^/@]+\/(client|azure|index)\.(mjs|js)$/

/** `undefined` for all other modules. */
export const find = (url: string): Found | Unknown | undefined => {
  const match = candidate.exec(url)
  if (match === null) return undefined
  const [, file = "", extension] = match
  const manifest = manifestAt(new URL("package.json", url))
  const sdk = manifest !== undefined && Object.hasOwn(sdks, manifest.name) ? sdks[manifest.name] : undefined
  if (sdk === undefined || manifest === undefined) return undefined
  const { majors } = sdk
  if (!majors.includes(Number.parseInt(manifest.version, 10))) {
    return { unknown: `${manifest.name} ${manifest.version}`, majors }
  }
  const name = sdk.classes[file]
  return name === undefined ? undefined : { name, format: extension === "mjs" ? "module" : "commonjs" }
}

const manifestAt = (url: URL): { readonly name: string; readonly version: string } | undefined => {
  try {
    const { name, version } = JSON.parse(readFileSync(url, "utf8")) as Record<string, unknown>
    return typeof name === "string" && typeof version === "string" ? { name, version } : undefined
  } catch {
    return undefined
  }
}
