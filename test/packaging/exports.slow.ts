/** The package as it is published, in a project that has nothing but its peers and at most one SDK. */
import { execFile } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { compileCache } from "../support/child.ts"
import { build } from "../support/packed.ts"

const root = resolve(import.meta.dirname, "../..")
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly exports: Readonly<Record<string, unknown>>
  readonly peerDependenciesMeta: Readonly<Record<string, unknown>>
}

const sdks = Object.keys(manifest.peerDependenciesMeta)
const needs: Readonly<Record<string, string>> = {
  "./OpenAiClient": "openai",
  "./AzureOpenAiClient": "openai",
  "./GroqClient": "groq-sdk",
  "./CerebrasClient": "@cerebras/cerebras_cloud_sdk",
  "./QuotaRedis": "ioredis",
  "./ToolLoop": "@effect/ai",
  "./OpenAiModel": "@effect/ai",
  "./AzureOpenAiModel": "@effect/ai",
  "./GroqModel": "@effect/ai",
  "./CerebrasModel": "@effect/ai",
  "./promise/openai": "openai",
  "./promise/groq": "groq-sdk",
  "./promise/cerebras": "@cerebras/cerebras_cloud_sdk"
}
/** Packages that come along with a peer, as peers of its own. */
const along: Readonly<Record<string, ReadonlyArray<string>>> = { "@effect/ai": ["@effect/experimental"] }
const subpaths = Object.keys(manifest.exports).filter((path) => !/json$|\*/.test(path))

const folder = mkdtempSync(join(tmpdir(), "clientele-package-"))
const built = join(folder, "built")

/** Under another name than its own: the major of `openai` before this one. */
const before = { openai: "openai6" }

/** A project with the package, its required peers and these SDKs. */
const project = (name: string, ...installed: ReadonlyArray<string>): string => projectWith(name, installed, {})

const projectWith = (
  name: string,
  installed: ReadonlyArray<string>,
  aliases: Readonly<Record<string, string>>
): string => {
  const modules = join(folder, name, "node_modules")
  cpSync(built, join(modules, "clientele"), { recursive: true })
  for (const one of ["effect", "@effect/platform", ...installed]) {
    mkdirSync(dirname(join(modules, one)), { recursive: true })
    symlinkSync(join(root, "node_modules", aliases[one] ?? one), join(modules, one))
  }
  return join(folder, name)
}

interface Ended {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Not in one go: vitest takes a worker for lost whose event loop has not turned for a minute. */
const run = (cwd: string, ...args: ReadonlyArray<string>) =>
  new Promise<Ended>((resolve) => {
    const env = { ...process.env, NODE_COMPILE_CACHE: compileCache }
    const child = execFile(process.execPath, args, { cwd, env }, (_, stdout, stderr) =>
      resolve({ status: child.exitCode ?? -1, stdout, stderr })
    )
  })

const node = (cwd: string, program: string) => run(cwd, "--input-type=module", "-e", program)

beforeAll(async () => {
  await build(join(built, "dist"))
  writeFileSync(join(built, "package.json"), JSON.stringify(manifest))
}, 300_000)

// Thousands of files for each project: the event loop goes on, or Vitest takes the worker for lost.
afterAll(() => rm(folder, { recursive: true, force: true }), 300_000)

describe("the published package", () => {
  it("loads the barrel and all modules but the providers without any SDK", async () => {
    const bare = project("bare")
    const free = subpaths.filter((path) => needs[path] === undefined)
    assert.includeMembers(free, [".", "./ClientLayer", "./testing/Sandbox"])
    const { status, stderr } = await node(
      bare,
      free.map((path) => `await import(${JSON.stringify(path.replace(".", "clientele"))})`).join("\n")
    )
    assert.strictEqual(stderr, "")
    assert.strictEqual(status, 0)
  })

  for (const [path, sdk] of Object.entries(needs)) {
    it(`loads ${path} with ${sdk} alone, and not without it`, async () => {
      const program = `await import(${JSON.stringify(path.replace(".", "clientele"))})`
      const name = path.slice(2).replace("/", "-")
      const [only, without] = await Promise.all([
        node(project(`with-${name}`, sdk, ...(along[sdk] ?? [])), program),
        node(project(`without-${name}`, ...sdks.filter((other) => other !== sdk)), program)
      ])
      assert.deepStrictEqual(only, { status: 0, stdout: "", stderr: "" })
      assert.include(without.stderr, `Cannot find package '${sdk}'`)
    })
  }

  it("gives CommonJS clients of the SDK's CommonJS copy, whose classes hold", async () => {
    const program = `
      const { OpenAI, AzureOpenAI } = require("openai")
      const { Groq } = require("groq-sdk")
      const { Cerebras } = require("@cerebras/cerebras_cloud_sdk")
      const { getAzureOpenAIClient, getOpenAIClient } = require("clientele/promise/openai")
      const { getGroqClient } = require("clientele/promise/groq")
      const { getCerebrasClient } = require("clientele/promise/cerebras")
      const { start } = require("clientele/testing/Sandbox")
      const body = { model: "m", messages: [{ role: "user", content: "hi" }] }
      const main = async () => {
        const sandbox = await start({ apiKeys: ["good"] })
        const key = (provider, apiKey) => ({ apiKey, baseURL: sandbox.baseURL(provider) })
        const azure = { endpoint: sandbox.baseURL("azure"), apiVersion: "2024-10-21", deployment: "d" }
        const ways = [
          [OpenAI, (apiKey) => getOpenAIClient(key("openai", apiKey))],
          [AzureOpenAI, (apiKey) => getAzureOpenAIClient({ ...azure, apiKey })],
          [Groq, (apiKey) => getGroqClient(key("groq", apiKey))],
          [Cerebras, (apiKey) => getCerebrasClient(key("cerebras", apiKey))]
        ]
        const told = []
        for (const [Sdk, get] of ways) {
          const answer = await get("good").chat.completions.create(body)
          const error = await get("bad").chat.completions.create(body).catch((error) => error)
          told.push([
            Sdk.name,
            get("good") instanceof Sdk && get("good") === get("good") && answer.choices.length === 1,
            error instanceof Sdk.AuthenticationError
          ])
        }
        await sandbox.close()
        console.log(JSON.stringify(told))
      }
      void main()`
    const cwd = project("required", ...sdks)
    writeFileSync(join(cwd, "app.cjs"), program)
    const { stderr, stdout } = await run(cwd, "app.cjs")
    assert.strictEqual(stderr, "")
    assert.deepStrictEqual(JSON.parse(stdout), [
      ["OpenAI", true, true],
      ["AzureOpenAI", true, true],
      ["Groq", true, true],
      ["Cerebras", true, true]
    ])
  })

  it("works over the major of openai before this one", async () => {
    const cwd = projectWith("openai-before", ["openai"], before)
    const sdk = JSON.parse(readFileSync(join(cwd, "node_modules/openai/package.json"), "utf8")) as { version: string }
    assert.match(sdk.version, /^6\./)
    const program = `
      import * as AzureOpenAiClient from "clientele/AzureOpenAiClient"
      import * as ClientLayer from "clientele/ClientLayer"
      import * as OpenAiClient from "clientele/OpenAiClient"
      import * as Sandbox from "clientele/testing/Sandbox"
      import * as Effect from "effect/Effect"
      import * as Redacted from "effect/Redacted"
      import * as Stream from "effect/Stream"
      import { toFile } from "openai"
      const body = { model: "m", messages: [{ role: "user", content: "hi" }] }
      const told = await Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ tls: true, faults: [{ times: 1, fault: { type: "status", status: 503 } }] })
        const common = { apiKey: Redacted.make("k"), transport: { ca: sandbox.ca } }
        const openai = { ...common, baseURL: sandbox.baseURL("openai") }
        const azure = { ...common, endpoint: sandbox.baseURL("azure"), apiVersion: "2024-10-21", deployment: "d" }
        const plain = yield* OpenAiClient.use(openai, (client) => client.chat.completions.create(body))
        const chunks = OpenAiClient.stream(openai, (client) => client.chat.completions.create({ ...body, stream: true }))
        const streamed = yield* Stream.runFold(chunks, "", (text, chunk) => text + (chunk.choices[0]?.delta.content ?? ""))
        const other = yield* AzureOpenAiClient.use(azure, (client) => client.chat.completions.create(body))
        yield* OpenAiClient.use(openai, async (client) =>
          client.files.create({ file: await toFile(Buffer.from("{}"), "rows.jsonl"), purpose: "batch" })
        )
        sandbox.faults.push({ fault: { type: "garbage", what: "json" } })
        const error = yield* Effect.flip(OpenAiClient.use(openai, (client) => client.chat.completions.create(body)))
        return {
          same: plain.choices[0].message.content === streamed && streamed !== "",
          azure: other.choices.length,
          uploads: sandbox.uploads.length,
          error: error.reason,
          sockets: sandbox.stats().connections.total,
          requests: sandbox.stats().requests
        }
      }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()), Effect.runPromise)
      console.log(JSON.stringify(told))`
    const { stderr, stdout } = await node(cwd, program)
    assert.strictEqual(stderr, "")
    assert.deepStrictEqual(JSON.parse(stdout), {
      same: true,
      azure: 1,
      uploads: 1,
      error: "Malformed",
      sockets: 1,
      requests: 6
    })
  })

  it("has one class of each error for all its paths, those of require included", async () => {
    const program = `
      import { createRequire } from "node:module"
      import * as Effect from "effect/Effect"
      import * as clientele from "clientele"
      import * as ClientError from "clientele/ClientError"
      import * as OpenAiClient from "clientele/OpenAiClient"
      import * as ours from "clientele/Promise"
      import * as getters from "clientele/promise/openai"
      const require = createRequire(import.meta.url)
      const modules = [clientele.ClientError, ClientError, require("clientele").ClientError, require("clientele/ClientError")]
      const thrown = (f) => { try { return f() } catch (error) { return error } }
      const clients = ours.makeClients()
      const required = require("clientele/Promise").makeClients()
      await Promise.all([clients.close(), required.close()])
      const key = { apiKey: "k" }
      const wrong = { apiKey: "k", timeout: -1 }
      const elsewhere = (fetch) => fetch("https://elsewhere.example").catch((error) => error)
      const ways = [
        thrown(() => clients.getFetch(key)),
        thrown(() => getters.getOpenAIClient(key, clients)),
        thrown(() => required.getFetch(key)),
        thrown(() => require("clientele/promise/openai").getOpenAIClient(key, clients)),
        await elsewhere(ours.getFetch(key)),
        await elsewhere(require("clientele/Promise").getFetch(key)),
        thrown(() => ours.getFetch(wrong)),
        thrown(() => getters.getOpenAIClient(wrong)),
        thrown(() => require("clientele/promise/openai").getOpenAIClient(wrong)),
        await Effect.runPromise(Effect.flip(OpenAiClient.config(wrong)))
      ]
      console.log(JSON.stringify(ways.map((error) =>
        error._tag + modules.map((module) => Number(error instanceof module[error._tag])).join("")
      )))`
    const { stderr, stdout } = await node(project("identity", "openai"), program)
    assert.strictEqual(stderr, "")
    assert.deepStrictEqual(JSON.parse(stdout), [
      ...Array<string>(4).fill("PoolError1111"),
      ...Array<string>(2).fill("RequestError1111"),
      ...Array<string>(4).fill("OptionsError1111")
    ])
  })

  it("loads few files of its own for the Promise API, and not Effect's Stream", async () => {
    const program = `
      import { createRequire, registerHooks } from "node:module"
      const seen = []
      registerHooks({ load: (url, context, next) => (seen.push(url), next(url, context)) })
      await import("clientele/Promise")
      await import("clientele/promise/openai")
      createRequire(import.meta.url)("clientele/promise/openai")
      const own = seen.filter((url) => url.includes("/clientele/")).length
      const effect = seen.filter((url) => url.includes("/effect/"))
      console.log(JSON.stringify({
        own,
        effect: effect.length,
        streams: effect.filter((url) => /stream|channel/i.test(url))
      }))`
    const { stderr, stdout } = await node(project("few", "openai"), program)
    assert.strictEqual(stderr, "")
    const { effect, own, streams } = JSON.parse(stdout) as { effect: number; own: number; streams: Array<string> }
    assert.isAtMost(own, 16)
    assert.isAtMost(effect, 190)
    assert.deepStrictEqual(streams, [])
  })

  it("keeps its internals to itself", async () => {
    const { stderr } = await node(project("internals"), `await import("clientele/internal/retry")`)
    assert.include(stderr, "ERR_PACKAGE_PATH_NOT_EXPORTED")
  })

  it("loads no package but effect's own", async () => {
    const program = `
      import { registerHooks } from "node:module"
      const seen = []
      registerHooks({ load: (url, context, next) => (seen.push(url), next(url, context)) })
      await import("clientele")
      console.log(JSON.stringify(seen.filter((url) => /node_modules\\/(?!clientele\\/|effect\\/|@effect\\/)/.test(url))))`
    assert.strictEqual((await node(project("lazy"), program)).stdout.trim(), "[]")
  })
})
