import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { AzureOpenAI, OpenAI } from "openai"
import { afterEach, expect, test, vi } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import { OptionsError } from "../../src/ClientError.ts"
import { getterOf } from "../../src/internal/promise/getters/openai.ts"
import { refuseUnreached } from "../../src/internal/sdk/mocked.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import { getAzureOpenAIClient, getOpenAIClient } from "../../src/promise/openai.ts"

vi.mock("openai")

const refuse = (url: string) => () => refuseUnreached("openai", "openai", url)

afterEach(() => {
  vi.unstubAllGlobals()
  vi.clearAllMocks()
})

test("an automock of the SDK is made as the app would make it, without a key", () => {
  const options = { timeout: 5 }
  const made = getOpenAIClient(options)
  expect(vi.mocked(OpenAI).mock.instances).toEqual([made])
  expect(vi.mocked(OpenAI).mock.calls).toEqual([[options]])
  expect(getAzureOpenAIClient()).toBe(vi.mocked(AzureOpenAI).mock.instances[0])
})

test("what a mock's constructor gives is what the getter gives", async () => {
  const fake = { chat: { completions: { create: vi.fn(async () => "mocked") } } }
  class Fake {
    readonly chat = fake.chat
  }
  const get = getterOf<object>(() => Fake as never)
  expect(get()).toBeInstanceOf(Fake)
  expect((get() as Fake).chat).toBe(fake.chat)
})

test("with Effect the mock is lent as the client would be", async () => {
  const key = Redacted.make("sk-test")
  const seen = await Effect.runPromise(
    OpenAiClient.use({ apiKey: key }, async (openai) => openai).pipe(Effect.provide(ClientLayer.layer()))
  )
  expect(seen).toBe(vi.mocked(OpenAI).mock.instances[0])
})

test("a mock's factory without the class gets an error with the remedy", () => {
  expect(() => getterOf(() => undefined)()).toThrow(OptionsError)
  expect(() => getterOf(() => undefined)()).toThrow(/a mock of it whose factory returns the class by its name/)
})

test("a mock of Vitest's that does not reach the package gets an error with the remedy, unless requests stay on the machine", () => {
  vi.stubGlobal("__vitest_mocker__", {
    registries: new Map([["s", new Map([["/app/node_modules/openai/index.mjs", 1]])]])
  })
  expect(refuse("https://api.openai.com/v1")).toThrow(/test\.server\.deps\.inline to \["clientele"\]/)
  expect(refuse("http://127.0.0.1:1/v1")).not.toThrow()
  vi.stubEnv("CLIENTELE_TRANSPORT", "fetch")
  expect(refuse("https://api.openai.com/v1")).not.toThrow()
  vi.unstubAllEnvs()
  vi.stubGlobal("__vitest_mocker__", {
    registries: new Map([["s", new Map([["/app/node_modules/other/index.mjs", 1]])]])
  })
  expect(refuse("https://api.openai.com/v1")).not.toThrow()
  vi.stubGlobal("__vitest_mocker__", { registries: 1 })
  expect(refuse("https://api.openai.com/v1")).not.toThrow()
})
