/** The process of one way to a model: warms up, then measures. Each loads only what it uses. */
import { input, report } from "./child.ts"
import { question } from "./question.ts"

export interface Work {
  readonly variant: "clientele" | "openai" | "ai" | "langchain" | "ai-openai"
  readonly baseURL: string
  /** At the same time. */
  readonly atOnce: number
  readonly warmUp: number
  readonly calls: number
}

export interface Cost {
  /** CPU of a call in microseconds, in all threads of this process. */
  readonly us: number
  /** Milliseconds of a call. */
  readonly p99: number
  /** Heap in use after all calls, in MB. */
  readonly heap: number
}

const { atOnce, baseURL, calls, variant, warmUp } = input<Work>()
const apiKey = "sk-bench-0"
const model = question(0).model

const promptOf = (i: number): string => question(i).messages[0]!.content

/** `size` calls, always `atOnce` of them. */
const crowd = async (size: number, call: (i: number) => Promise<unknown>): Promise<ReadonlyArray<number>> => {
  const took: Array<number> = []
  let next = 0
  const worker = async () => {
    while (next < size) {
      const from = performance.now()
      await call(next++)
      took.push(performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return took
}

const measured = async (call: (i: number) => Promise<unknown>): Promise<Cost> => {
  await crowd(warmUp, call)
  const from = process.cpuUsage()
  const took = await crowd(calls, call)
  const { system, user } = process.cpuUsage(from)
  const p99 = took.toSorted((a, b) => a - b)[Math.floor(took.length * 0.99)] ?? NaN
  globalThis.gc?.()
  return { us: (system + user) / calls, p99, heap: process.memoryUsage().heapUsed / 1e6 }
}

const clientele = async (): Promise<Cost> => {
  const LanguageModel = await import("@effect/ai/LanguageModel")
  const ClientLayer = await import("clientele/ClientLayer")
  const OpenAiModel = await import("clientele/OpenAiModel")
  const Layer = await import("effect/Layer")
  const ManagedRuntime = await import("effect/ManagedRuntime")
  const Redacted = await import("effect/Redacted")
  const client = { baseURL, apiKey: Redacted.make(apiKey) }
  const layer = Layer.provide(OpenAiModel.model(model, { client }), ClientLayer.layer())
  const runtime = ManagedRuntime.make(layer)
  await runtime.runtime()
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

const aiOpenai = async (): Promise<Cost> => {
  const LanguageModel = await import("@effect/ai/LanguageModel")
  const OpenAiClient = await import("@effect/ai-openai/OpenAiClient")
  const OpenAiLanguageModel = await import("@effect/ai-openai/OpenAiLanguageModel")
  const FetchHttpClient = await import("@effect/platform/FetchHttpClient")
  const Layer = await import("effect/Layer")
  const ManagedRuntime = await import("effect/ManagedRuntime")
  const Redacted = await import("effect/Redacted")
  const client = OpenAiClient.layer({ apiUrl: baseURL, apiKey: Redacted.make(apiKey) })
  const layer = OpenAiLanguageModel.layer({ model }).pipe(Layer.provide(client), Layer.provide(FetchHttpClient.layer))
  const runtime = ManagedRuntime.make(layer)
  const cost = await measured((i) => runtime.runPromise(LanguageModel.generateText({ prompt: promptOf(i) })))
  await runtime.dispose()
  return cost
}

const variants = { clientele, openai, ai, langchain, "ai-openai": aiOpenai } satisfies Record<
  Work["variant"],
  () => Promise<Cost>
>

report(await variants[variant]())
// Some keep sockets open that nothing waits for.
process.exitCode = 0
