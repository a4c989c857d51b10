import { afterEach, assert, describe, it, vi } from "vitest"
import * as Origins from "../../../src/internal/promise/register/origins.ts"

afterEach(() => vi.unstubAllEnvs())

const found = (origin: string) => Origins.find(origin)?.provider

describe("the origins of providers", () => {
  it("are those of the SDKs' defaults, of OpenAI's regions and of Azure's resources", () => {
    assert.deepStrictEqual(Origins.find("https://api.openai.com"), {
      provider: "openai",
      baseURL: "https://api.openai.com/v1"
    })
    assert.deepStrictEqual(Origins.find("https://eu.api.openai.com"), {
      provider: "openai",
      baseURL: "https://eu.api.openai.com/v1"
    })
    assert.deepStrictEqual(Origins.find("https://mine.openai.azure.com"), {
      provider: "azure",
      baseURL: "https://mine.openai.azure.com"
    })
    assert.deepStrictEqual(
      ["https://api.groq.com", "https://api.cerebras.ai", "https://mine.services.ai.azure.com"].map(found),
      ["groq", "cerebras", "azure"]
    )
    const others = [
      "http://api.openai.com",
      "https://api.openai.com:8443",
      "https://openai.com",
      "https://api.openai.com.evil.example",
      "https://evil.example",
      "https://openai.azure.com",
      "https://mine.openai.azure.com.evil.example"
    ]
    assert.deepStrictEqual(
      others.map(found),
      others.map(() => undefined)
    )
  })

  it("are those that the environment names to the SDKs, whenever it does", () => {
    assert.isUndefined(Origins.find("http://localhost:8000"))
    vi.stubEnv("OPENAI_BASE_URL", "http://localhost:8000/v1")
    vi.stubEnv("AZURE_OPENAI_ENDPOINT", "https://gateway.example.com/azure")
    vi.stubEnv("GROQ_BASE_URL", "no address")
    assert.deepStrictEqual(Origins.find("http://localhost:8000"), {
      provider: "openai",
      baseURL: "http://localhost:8000/v1"
    })
    assert.deepStrictEqual(Origins.find("https://gateway.example.com")?.provider, "azure")
  })

  it("are those that CLIENTELE_FETCH adds", () => {
    assert.deepStrictEqual(["", " ", "0", "false", undefined].map(Origins.readVariable), Array(5).fill(false))
    assert.isTrue(Origins.readVariable("1"))
    assert.isTrue(Origins.readVariable("1, https://added.example.com/v1,http://10.0.0.5:8000"))
    assert.deepStrictEqual(Origins.find("https://added.example.com"), {
      provider: "openai",
      baseURL: "https://added.example.com/v1"
    })
    assert.strictEqual(Origins.find("http://10.0.0.5:8000")?.provider, "openai")
    const wrong = [
      "api.example.com",
      "ftp://a.example.com",
      "https://me:pw@a.example.com",
      "https://a.example.com/?k=1"
    ]
    for (const entry of wrong) assert.deepStrictEqual(Origins.readVariable(`1,${entry}`), { invalid: 2 })
  })
})
