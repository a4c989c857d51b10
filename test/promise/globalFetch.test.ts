import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { type Clients, makeClients } from "../../src/Promise.ts"
import { getOpenAIClient } from "../../src/promise/openai.ts"

const question = { model: "m", messages: [{ role: "user" as const, content: "hi" }] }

const reply = (content: string): Response =>
  Response.json({
    id: "c",
    object: "chat.completion",
    created: 1,
    model: "m",
    choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content } }]
  })

describe("CLIENTELE_TRANSPORT=fetch", () => {
  let clients: Clients

  const ask = async (options: object = {}) => {
    const answer = await getOpenAIClient({ apiKey: "sk-test", ...options }, clients).chat.completions.create(question)
    return answer.choices[0]?.message.content
  }

  beforeEach(() => {
    vi.stubEnv("CLIENTELE_TRANSPORT", "fetch")
    clients = makeClients()
  })

  afterEach(async () => {
    await clients.close()
    vi.unstubAllEnvs()
    vi.unstubAllGlobals()
  })

  it("sends by the global fetch of the moment, whatever tunes connections", async () => {
    const sent = vi.fn(async (_url: string, _init: RequestInit) => reply("first"))
    vi.stubGlobal("fetch", sent)
    const options = { transport: { keepAlive: 5_000, http2: false } }
    expect(await ask(options)).toBe("first")
    const [url, init] = sent.mock.calls[0]!
    expect([url, init.method, new Headers(init.headers).get("authorization")]).toEqual([
      "https://api.openai.com/v1/chat/completions",
      "POST",
      "Bearer sk-test"
    ])
    expect(JSON.parse(init.body as string)).toEqual(question)
    vi.stubGlobal("fetch", async () => reply("second"))
    expect(await ask(options)).toBe("second")
  })

  it("keeps bounds and retries", async () => {
    let [open, most, failed] = [0, 0, false]
    vi.stubGlobal("fetch", async () => {
      most = Math.max(most, ++open)
      await new Promise((resolve) => setTimeout(resolve, 5))
      open--
      if (failed) return reply("ok")
      failed = true
      return new Response("{}", { status: 503 })
    })
    const options = { transport: { maxConnections: 4 } }
    expect(new Set(await Promise.all(Array.from({ length: 20 }, () => ask(options))))).toEqual(new Set(["ok"]))
    expect(most).toBe(4)
  })

  it("reports a stub that does not return a Response", async () => {
    vi.stubGlobal("fetch", async () => ({ ok: true, json: async () => ({}) }))
    const failure: unknown = await ask({ maxRetries: 0 }).catch((error: unknown) => error)
    expect(String((failure as Error).cause)).toMatch(/globalThis.fetch, which CLIENTELE_TRANSPORT=fetch calls/)
  })

  it("refuses options that change the destination of requests, and unknown values", () => {
    const proxied = { transport: { proxy: "http://127.0.0.1:9" } }
    expect(() => getOpenAIClient({ apiKey: "sk-test", ...proxied }, clients)).toThrow(/transport\.proxy/)
    expect(() => makeClients({ allowAddress: () => true })).toThrow(/allowAddress/)
    vi.stubEnv("CLIENTELE_TRANSPORT", "http")
    expect(() => makeClients()).toThrow(/CLIENTELE_TRANSPORT is http; expected "fetch", "sockets", or unset/)
  })
})
