/** The process of one provider's chats without Effect: by its SDK alone, or by its getter. Each loads only what it uses. */
import { input, report } from "./child.ts"
import { cpuPerCall, type CrowdSize } from "./crowd.ts"
import { question } from "./question.ts"

export type Sdk = "openai" | "groq" | "cerebras"

export interface Work extends CrowdSize {
  readonly sdk: Sdk
  readonly way: "default fetch" | "getter"
  readonly origin: string
  readonly maxConnections: number
}

const work = input<Work>()
const { maxConnections, origin, sdk, way } = work
const options = { baseURL: sdk === "openai" ? `${origin}/v1` : origin, apiKey: "sk-bench-0" }
const pooled = { ...options, transport: { maxConnections } }

interface Client {
  readonly chat: {
    readonly completions: { readonly create: (body: ReturnType<typeof question>) => PromiseLike<unknown> }
  }
}

/** Its SDK's own client, made once. */
const alone: Readonly<Record<Sdk, () => Promise<() => Client>>> = {
  openai: async () => {
    const { OpenAI } = await import("openai")
    const client = new OpenAI(options)
    return () => client
  },
  groq: async () => {
    const { Groq } = await import("groq-sdk")
    const client = new Groq(options)
    return () => client
  },
  cerebras: async () => {
    const { Cerebras } = await import("@cerebras/cerebras_cloud_sdk")
    const client = new Cerebras({ ...options, warmTCPConnection: false })
    return () => client as Client
  }
}

/** Asked for at each call. */
const getters: Readonly<Record<Sdk, () => Promise<() => Client>>> = {
  openai: async () => {
    const { getOpenAIClient } = await import("clientele/promise/openai")
    return () => getOpenAIClient(pooled)
  },
  groq: async () => {
    const { getGroqClient } = await import("clientele/promise/groq")
    return () => getGroqClient(pooled)
  },
  cerebras: async () => {
    const { getCerebrasClient } = await import("clientele/promise/cerebras")
    return () => getCerebrasClient(pooled) as Client
  }
}

const client = await (way === "getter" ? getters : alone)[sdk]()
report(await cpuPerCall(work, async (i) => client().chat.completions.create(question(i))))
