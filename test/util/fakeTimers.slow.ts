import * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { toFile } from "openai"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import { type Clients, makeClients } from "../../src/Promise.ts"
import { getOpenAIClient } from "../../src/promise/openai.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { compileCache } from "../support/child.ts"

const question = { model: "m", messages: [{ role: "user" as const, content: "hi" }] }

/** All that Jest fakes by itself, but `nextTick`, without which Node's own streams stand still. */
const all = [
  "setTimeout",
  "setInterval",
  "setImmediate",
  "clearTimeout",
  "clearInterval",
  "clearImmediate",
  "Date",
  "performance",
  "queueMicrotask"
] as const

const fakeAll = (): void => void vi.useFakeTimers({ toFake: [...all] })

/** Node's own reading of a FormData stands still without `queueMicrotask`, with any sender. */
const fakeTimers = (): void => void vi.useFakeTimers({ toFake: all.filter((name) => name !== "queueMicrotask") })

const roads = [
  { name: "HTTP/1.1", options: { protocol: "http/1.1" } },
  { name: "HTTP/2", options: { protocol: "both", tls: true } }
] as const

describe.each(roads)("under fake timers over $name", ({ options }) => {
  let sandbox: Sandbox.Sandbox
  let clients: Clients

  const client = (more: object = {}) =>
    getOpenAIClient(
      { apiKey: "sk-test", baseURL: sandbox.baseURL("openai"), transport: { ca: sandbox.ca }, ...more },
      clients
    )

  beforeEach(async () => {
    sandbox = await Sandbox.start({ ...options, latency: 5, timePerToken: 1 })
    clients = makeClients()
  })

  afterEach(async () => {
    vi.useRealTimers()
    await clients.close()
    await sandbox.close()
  })

  it("requests are answered, on new connections and on those from before, and afterwards", async () => {
    const openai = client()
    const content = async () => (await openai.chat.completions.create(question)).choices[0]?.message.content
    const answer = await content()
    fakeAll()
    expect(await content()).toBe(answer)
    expect(await Promise.all([content(), content(), content()])).toEqual([answer, answer, answer])
    vi.useRealTimers()
    expect(await content()).toBe(answer)
  })

  it("streams come to their end, and aborts end requests", async () => {
    fakeAll()
    const openai = client()
    let text = ""
    for await (const chunk of await openai.chat.completions.create({ ...question, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? ""
    }
    expect(text).not.toBe("")
    const abort = new AbortController()
    const headers = { "x-sandbox-fault": "stall=headers" }
    const stalled = openai.chat.completions.create(question, { signal: abort.signal, headers })
    setTimeout(() => abort.abort(), 10)
    vi.advanceTimersByTime(10)
    await expect(stalled).rejects.toThrow(/abort/i)
  })

  it("retries, quotas and timeouts keep real time", async () => {
    fakeAll()
    sandbox.faults.push({ times: 1, fault: { type: "status", status: 503 } })
    const openai = client({ quota: { requestsPerMinute: 3_000 } })
    await Promise.all([1, 2, 3].map(() => openai.chat.completions.create(question)))
    expect(sandbox.stats().requests).toBe(4)
    const headers = { "x-sandbox-fault": "stall=headers" }
    await expect(openai.chat.completions.create(question, { timeout: 100, maxRetries: 0, headers })).rejects.toThrow(
      /timed out/i
    )
  })

  it("files are uploaded", async () => {
    fakeTimers()
    const file = await toFile(new Uint8Array(300_000), "a.jsonl")
    const created = await client().files.create({ file, purpose: "batch" })
    expect(created.bytes).toBe(300_000)
  })

  it("texts of an embedding model are gathered and sent", async () => {
    fakeAll()
    const at = OpenAiModel.embeddingModel("e", {
      client: {
        apiKey: Redacted.make("sk-test"),
        baseURL: sandbox.baseURL("openai"),
        transport: { ca: sandbox.ca }
      }
    })
    const vectors = Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) =>
      Effect.all([model.embed("a"), model.embed("b")], { concurrency: 2 })
    )
    expect(await Effect.runPromise(vectors.pipe(Effect.provide(at), Effect.provide(ClientLayer.layer())))).toHaveLength(
      2
    )
    expect(sandbox.stats().requests).toBe(1)
  })
})

it("under the fake timers of node:test requests are answered", async () => {
  await using sandbox = await Sandbox.start({ protocol: "http/1.1" })
  const test = `
    import test from "node:test"
    import assert from "node:assert"
    import { getOpenAIClient } from ${JSON.stringify(new URL("../../src/promise/openai.ts", import.meta.url).href)}
    test("is answered", async (t) => {
      t.mock.timers.enable({ apis: ["setTimeout", "setInterval", "setImmediate", "Date"] })
      const openai = getOpenAIClient({ apiKey: "k", baseURL: ${JSON.stringify(sandbox.baseURL("openai"))} })
      for (let i = 0; i < 2; i++) {
        const answer = await openai.chat.completions.create(${JSON.stringify(question)})
        assert.ok(answer.choices[0].message.content)
      }
    })
  `
  const folder = mkdtempSync(join(tmpdir(), "clientele-node-test-"))
  try {
    writeFileSync(join(folder, "timers.test.mjs"), test)
    // Without what says that it runs in another test runner.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const args = ["--no-warnings", "--test", "--test-timeout=30000", "--test-reporter=tap"]
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd: folder,
      env: { ...env, NODE_COMPILE_CACHE: compileCache }
    })
    expect(stdout).toMatch(/# pass 1\n/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
