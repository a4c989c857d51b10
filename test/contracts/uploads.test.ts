import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { toFile } from "openai"
import { assert } from "vitest"
import * as AzureOpenAiClient from "../../src/AzureOpenAiClient.ts"
import type { ClientError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as GroqClient from "../../src/GroqClient.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { eventually } from "../support/wait.ts"

const roads = [
  { name: "HTTP/1.1", sandbox: { protocol: "http/1.1" } },
  { name: "HTTP/2", sandbox: { protocol: "both", tls: true } }
] as const

type Source = () => Promise<File> | fs.ReadStream

type Upload = (sandbox: Sandbox.Sandbox, source: Source) => Effect.Effect<unknown, ClientError, ClientMap.ClientMap>

const common = (sandbox: Sandbox.Sandbox) => ({
  apiKey: Redacted.make("sk-upload"),
  maxRetries: 0,
  transport: { ca: sandbox.ca }
})

/** Cerebras takes no files. */
const clients: Readonly<Record<string, Upload>> = {
  openai: (sandbox, source) =>
    OpenAiClient.use({ ...common(sandbox), baseURL: sandbox.baseURL("openai") }, async (client) =>
      client.files.create({ file: await source(), purpose: "batch" })
    ),
  azure: (sandbox, source) =>
    AzureOpenAiClient.use(
      { ...common(sandbox), endpoint: sandbox.baseURL("azure"), apiVersion: "2024-10-21" },
      async (client) => client.files.create({ file: await source(), purpose: "batch" })
    ),
  groq: (sandbox, source) =>
    GroqClient.use({ ...common(sandbox), baseURL: sandbox.baseURL("groq") }, async (client) =>
      client.files.create({ file: await source(), purpose: "batch" })
    )
}

const content = Buffer.from('{"row":1}\n'.repeat(200_000))
const sha256 = createHash("sha256").update(content).digest("hex")

const file = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "upload-"))
    fs.writeFileSync(path.join(folder, "rows.jsonl"), content)
    return path.join(folder, "rows.jsonl")
  }),
  (name) => Effect.sync(() => fs.rmSync(path.dirname(name), { recursive: true }))
)

const sources = (name: string): ReadonlyArray<Source> => [
  () => toFile(content, "rows.jsonl"),
  async () => new File([content], "rows.jsonl"),
  () => fs.createReadStream(name)
]

for (const road of roads) {
  describe(`files uploaded over ${road.name}`, () => {
    it.live.each(Object.entries(clients))("by %s arrive whole, and give everything back", ([, upload]) =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make(road.sandbox)
        const name = yield* file
        for (const source of sources(name)) yield* upload(sandbox, source)
        assert.deepStrictEqual(
          sandbox.uploads.map((one) => ({ name: one.name, purpose: one.purpose, sha256: one.sha256 })),
          sources(name).map(() => ({ name: "rows.jsonl", purpose: "batch", sha256 }))
        )
        assert.deepStrictEqual([...sandbox.stats().requestsByKey], [["sk-upload", 3]])
        yield* eventually(ClientMap.stats, (stats) => stats.clients.every(({ inFlight }) => inFlight === 0))
      }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()))
    )
  })
}
