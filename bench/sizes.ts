/** Minified bundles by esbuild of what a user imports, whole: with effect, and the SDK where it is one's. */
import { build } from "esbuild"
import { fileURLToPath } from "node:url"
import { type Bench, type Figure, round } from "./bench.ts"

const root = fileURLToPath(new URL("..", import.meta.url))

interface Size {
  readonly bytes: number
  /** Bytes by package. */
  readonly parts: ReadonlyMap<string, number>
}

const packageOf = (path: string): string => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? "clientele"

/** Size of a program that keeps this one export of a module. */
const sizeOf = async (name: string, from: string): Promise<Size> => {
  const { metafile } = await build({
    stdin: { contents: `export { ${name} } from ${JSON.stringify(from)}`, resolveDir: root },
    bundle: true,
    minify: true,
    platform: "node",
    format: "esm",
    write: false,
    metafile: true,
    outfile: "bundle.mjs",
    logLevel: "error"
  })
  const [output] = Object.values(metafile.outputs)
  if (output === undefined) throw new Error("esbuild gave no bundle")
  const parts = new Map<string, number>()
  for (const [path, { bytesInOutput }] of Object.entries(output.inputs)) {
    const part = packageOf(path)
    parts.set(part, (parts.get(part) ?? 0) + bytesInOutput)
  }
  return { bytes: output.bytes, parts }
}

const kb = (bytes: number): string => round(bytes / 1000, 0)

const noteOf = ({ parts }: Size): string =>
  [...parts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([part, bytes]) => `${part} ${kb(bytes)}`)
    .join(", ")

export const sizes: Bench = {
  name: "sizes",
  about: "minified bundles by esbuild, in KB of 1,000 bytes; as of the last build",
  run: async (): Promise<ReadonlyArray<Figure>> => {
    const [openai, client, fetch] = [
      await sizeOf("OpenAI", "openai"),
      await sizeOf("getOpenAIClient", "./dist/promise/openai.js"),
      await sizeOf("getFetch", "./dist/Promise.js")
    ]
    return [
      {
        what: "getOpenAIClient / openai's own OpenAI",
        value: client.bytes / openai.bytes,
        unit: "x",
        atMost: 2.4,
        note: `${kb(client.bytes)} and ${kb(openai.bytes)} KB: ${noteOf(client)}`
      },
      { what: "getFetch", value: fetch.bytes / 1000, unit: "KB", atMost: 600, note: noteOf(fetch) }
    ]
  }
}
