/** The snippets of docs/migration.md, run against a sandbox that the environment names. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { afterAll, assert, beforeAll, describe, it, vi } from "vitest"
import { closeAll, stats } from "../../src/Promise.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"

const root = resolve(import.meta.dirname, "../..")
mkdirSync(join(root, "out"), { recursive: true })
// Within the project, where packages are found.
const folder = mkdtempSync(join(root, "out/migration-"))

const page = readFileSync(join(root, "docs/migration.md"), "utf8")
const snippets = [...page.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => match[1] ?? "")

/** The only snippet with this text. */
const load = async <A>(text: string): Promise<A> => {
  const found = snippets.filter((snippet) => snippet.includes(text))
  assert.strictEqual(found.length, 1, text)
  const path = join(folder, `${snippets.indexOf(found[0]!)}.ts`)
  writeFileSync(path, found[0]!)
  return (await import(path)) as A
}

type Ask = (question: string) => Promise<string | null | undefined>

interface Client {
  readonly apiKey: string
  readonly models: { list(): Promise<{ readonly data: ReadonlyArray<unknown> }> }
}

let sandbox: Awaited<ReturnType<typeof Sandbox.start>>

beforeAll(async () => {
  sandbox = await Sandbox.start()
  vi.stubEnv("OPENAI_BASE_URL", sandbox.baseURL("openai"))
  vi.stubEnv("OPENAI_API_KEY", "sk-migration")
})

afterAll(async () => {
  vi.unstubAllEnvs()
  await closeAll()
  await sandbox.close()
  rmSync(folder, { recursive: true, force: true })
})

const requestsOf = async (f: () => Promise<unknown>): Promise<number> => {
  const before = sandbox.stats().requests
  await f()
  return sandbox.stats().requests - before
}

describe("the page about moving to clientele", () => {
  it("has no snippet that is not run here", () => {
    assert.strictEqual(snippets.length, 6)
  })

  it("has agents that share a client", async () => {
    const { Agent } = await load<{ readonly Agent: new () => { readonly answer: Ask } }>("class Agent")
    const agents = [new Agent(), new Agent()]
    const before = await stats()
    const requests = await requestsOf(async () => {
      for (const agent of agents) assert.isString(await agent.answer("hello"))
    })
    assert.strictEqual(requests, 2)
    assert.strictEqual((await stats()).built - before.built, 1)
  })

  it("has a client in a module", async () => {
    // Another quota for a key that is in use would be warned about.
    vi.stubEnv("OPENAI_API_KEY", "sk-module")
    const { openai } = await load<{ readonly openai: Client }>("export const openai")
    assert.strictEqual(openai.apiKey, "sk-module")
    assert.strictEqual(await requestsOf(() => openai.models.list()), 1)
    vi.stubEnv("OPENAI_API_KEY", "sk-migration")
  })

  it("has a client for each tenant", async () => {
    type Tenant = { readonly apiKey: string; readonly project?: string }
    const { clientOf } = await load<{ readonly clientOf: (tenant: Tenant) => Client }>("export const clientOf")
    const one = clientOf({ apiKey: "sk-one" })
    assert.strictEqual(clientOf({ apiKey: "sk-one" }), one)
    assert.notStrictEqual(clientOf({ apiKey: "sk-one", project: "p" }), one)
    assert.strictEqual(clientOf({ apiKey: "sk-two" }).apiKey, "sk-two")
  })

  for (const library of ["@langchain/openai", "@ai-sdk/openai"]) {
    it(`has an agent of ${library}`, async () => {
      const { agent } = await load<{ readonly agent: Ask }>(library)
      const total = sandbox.stats().connections.total
      assert.strictEqual(await requestsOf(async () => assert.isNotEmpty(await agent("hello"))), 1)
      assert.strictEqual(sandbox.stats().connections.total, total, "a socket that was there already")
    })
  }

  it("has a test", async () => {
    const { test } = await load<{ readonly test: () => Promise<number> }>("export const test")
    assert.strictEqual(await test(), 2)
  })
})
