/** The process of one way to a model: warms up, then measures. Each loads only what it uses. */
import { input, report } from "./child.ts"
import { apiKey, type Calls, type Cost, measured, model, promptOf } from "./modelCalls.ts"
import { question } from "./question.ts"

export interface Work extends Calls {
  readonly variant: "clientele" | "openai" | "ai" | "langchain"
}

const { baseURL, variant } = input<Work>()

const clientele = async (): Promise<Cost> => {
  const LanguageModel = await import("@effect/ai/LanguageModel")
  const ClientLayer = await import("clientele/ClientLayer")
  const OpenAiModel = await import("clientele/OpenAiModel")
  const Effect = await import("effect/Effect")
  const Layer = await import("effect/Layer")
  const ManagedRuntime = await import("effect/ManagedRuntime")
  const Redacted = await import("effect/Redacted")
  const client = { baseURL, apiKey: Redacted.make(apiKey) }
  const layer = Layer.provide(OpenAiModel.model(model, { client }), ClientLayer.layer())
  const runtime = ManagedRuntime.make(layer)
  await runtime.runPromise(Effect.void)
  const cost = await measured((i) => runtime.runPromise(LanguageModel.generateText({ prompt: promptOf(i) })))
  await runtime.dispose()
  return cost
}

const openai = async (): Promise<Cost> => {
  const { OpenAI } = await import("openai")
  const client = new OpenAI({ baseURL, apiKey })
  return measured((i) => client.chat.completions.create(question(i)))
}

const ai = async (): Promise<Cost> => {
  const { generateText } = await import("ai")
  const { createOpenAI } = await import("@ai-sdk/openai")
  const chat = createOpenAI({ baseURL, apiKey }).chat(model)
  return measured((i) => generateText({ model: chat, prompt: promptOf(i) }))
}

const langchain = async (): Promise<Cost> => {
  const { ChatOpenAI } = await import("@langchain/openai")
  const chat = new ChatOpenAI({ model, apiKey, configuration: { baseURL } })
  return measured((i) => chat.invoke(promptOf(i)))
}

const variants = { clientele, openai, ai, langchain } satisfies Record<Work["variant"], () => Promise<Cost>>

report(await variants[variant]())
// Some keep sockets open that nothing waits for.
process.exitCode = 0
