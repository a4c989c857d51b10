/** The modules of the four providers: their types, and layers whose options come from `Config`. */
import { describe, it } from "@effect/vitest"
import type { Cerebras } from "@cerebras/cerebras_cloud_sdk"
import type { Groq } from "groq-sdk"
import type { AzureOpenAI, OpenAI } from "openai"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { assert, expectTypeOf } from "vitest"
import * as AzureOpenAiClient from "../../src/AzureOpenAiClient.ts"
import * as AzureOpenAiModel from "../../src/AzureOpenAiModel.ts"
import * as CerebrasClient from "../../src/CerebrasClient.ts"
import * as CerebrasModel from "../../src/CerebrasModel.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as GroqClient from "../../src/GroqClient.ts"
import * as GroqModel from "../../src/GroqModel.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"

const env = (entries: Readonly<Record<string, string>>) =>
  Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(entries))))

const options = {
  apiKey: Config.redacted("MY_KEY"),
  baseURL: Config.string("MY_URL"),
  timeout: Config.withDefault(Config.duration("MY_TIMEOUT"), Duration.seconds(9)),
  quota: { requestsPerMinute: Config.integer("MY_RPM") }
}

type AzureExtra = "endpoint" | "apiVersion" | "deployment" | "organization" | "project"

describe("the functions of each provider's module", () => {
  it("have the types that `ClientMap.accessors` gives them", () => {
    type Of<Module> = Pick<Module, keyof Module & keyof ClientMap.Accessors<never, never, never, never>>
    expectTypeOf<Of<typeof OpenAiClient>>().toEqualTypeOf<
      ClientMap.Accessors<OpenAiClient.OpenAiClient, OpenAI, "openai", "organization" | "project">
    >()
    expectTypeOf<Of<typeof AzureOpenAiClient>>().toEqualTypeOf<
      ClientMap.Accessors<AzureOpenAiClient.AzureOpenAiClient, AzureOpenAI, "azure", AzureExtra>
    >()
    expectTypeOf<Of<typeof GroqClient>>().toEqualTypeOf<
      ClientMap.Accessors<GroqClient.GroqClient, Groq, "groq", never>
    >()
    expectTypeOf<Of<typeof CerebrasClient>>().toEqualTypeOf<
      ClientMap.Accessors<CerebrasClient.CerebrasClient, Cerebras, "cerebras", never>
    >()
  })
})

const { baseURL, ...others } = options
const azure = { ...others, endpoint: baseURL, apiVersion: Config.string("MY_VERSION") }

const clients = {
  openai: Effect.provide(
    Effect.flatMap(OpenAiClient.OpenAiClient, (client) => Effect.promise<unknown>(() => client.models.list())),
    OpenAiClient.layerConfig(options)
  ),
  azure: Effect.provide(
    Effect.flatMap(AzureOpenAiClient.AzureOpenAiClient, (client) =>
      Effect.promise<unknown>(() => client.models.list())
    ),
    AzureOpenAiClient.layerConfig(azure)
  ),
  groq: Effect.provide(
    Effect.flatMap(GroqClient.GroqClient, (client) => Effect.promise<unknown>(() => client.models.list())),
    GroqClient.layerConfig(options)
  ),
  cerebras: Effect.provide(
    Effect.flatMap(CerebrasClient.CerebrasClient, (client) => Effect.promise<unknown>(() => client.models.list())),
    CerebrasClient.layerConfig(options)
  )
}

type Provider = keyof typeof clients

const providers = Object.keys(clients) as ReadonlyArray<Provider>

const variables = (sandbox: Sandbox.Sandbox, provider: Provider) => ({
  MY_KEY: "sk-mine",
  MY_URL: sandbox.baseURL(provider),
  MY_RPM: "77",
  MY_VERSION: "2025-04-01-preview",
  MY_MODEL: "llama3.1-8b"
})

describe.each(providers)("layerConfig of the %s client", (provider) => {
  it.live("reads options from Config, and leases the client that they describe", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const { quotas } = yield* Effect.zipRight(clients[provider], ClientMap.stats).pipe(
        Effect.provide(Layer.provideMerge(ClientLayer.layer(), env(variables(sandbox, provider))))
      )
      assert.deepStrictEqual([...sandbox.stats().requestsByKey.keys()], ["sk-mine"])
      assert.deepStrictEqual(
        quotas.map(({ requestsPerMinute }) => requestsPerMinute),
        [77]
      )
    }).pipe(Effect.scoped)
  )

  it.live("fails with the ConfigError of a variable that is missing", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(clients[provider]).pipe(
        Effect.provide(Layer.provideMerge(ClientLayer.layer(), env({ MY_KEY: "sk-mine", MY_RPM: "77" })))
      )
      assert.include(String(error), "MY_URL")
    })
  )
})

const settings = {
  model: Config.string("MY_MODEL"),
  temperature: Config.withDefault(Config.number("MY_TEMPERATURE"), 0.5),
  client: options
}

const models = {
  openai: OpenAiModel.layerConfig(settings),
  azure: AzureOpenAiModel.layerConfig({ ...settings, client: azure }),
  groq: GroqModel.layerConfig(settings),
  cerebras: CerebrasModel.layerConfig(settings)
}

describe.each(providers)("layerConfig of the %s model", (provider) => {
  it.live("reads the model's name, settings and client from Config", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const answer = yield* LanguageModel.generateText({ prompt: "hello" }).pipe(
        Effect.provide(models[provider]),
        Effect.provide(Layer.provideMerge(ClientLayer.layer(), env(variables(sandbox, provider))))
      )
      assert.isNotEmpty(answer.text)
      assert.deepStrictEqual([...sandbox.stats().requestsByKey.keys()], ["sk-mine"])
    }).pipe(Effect.scoped)
  )

  it.live("fails with the ConfigError of a name that is missing", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Layer.build(models[provider])).pipe(
        Effect.provide(Layer.provideMerge(ClientLayer.layer(), env({ MY_KEY: "sk-mine" })))
      )
      assert.include(String(error), "MY_")
    }).pipe(Effect.scoped)
  )
})
