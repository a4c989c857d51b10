/** The process of @effect/ai-openai: warms up, then measures. Apart from the other ways, since Effect 4 has no such package. */
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as OpenAiClient from "@effect/ai-openai/OpenAiClient"
import * as OpenAiLanguageModel from "@effect/ai-openai/OpenAiLanguageModel"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import { input, report } from "./child.ts"
import { apiKey, type Calls, measured, model, promptOf } from "./modelCalls.ts"

const { baseURL } = input<Calls>()
const client = OpenAiClient.layer({ apiUrl: baseURL, apiKey: Redacted.make(apiKey) })
const layer = OpenAiLanguageModel.layer({ model }).pipe(Layer.provide(client), Layer.provide(FetchHttpClient.layer))
const runtime = ManagedRuntime.make(layer)
const cost = await measured((i) => runtime.runPromise(LanguageModel.generateText({ prompt: promptOf(i) })))
await runtime.dispose()
report(cost)
// It keeps sockets open that nothing waits for.
process.exitCode = 0
