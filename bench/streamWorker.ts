/** The process of one way to a streamed answer: warms up, then measures. Each loads only what it uses. */
import { setDefaultCACertificates } from "node:tls"
import type { Effect } from "effect/Effect"
import type { Stream } from "effect/Stream"
import type { ClientMap } from "clientele/ClientMap"
import type { ClientConfig } from "clientele/ClientConfig"
import { input, report } from "./child.ts"
import { cpuPerCall, cpuSince, type CrowdSize } from "./crowd.ts"
import { question } from "./question.ts"

export type Variant =
  | "openai"
  | "openai, getFetch"
  | "getOpenAIClient"
  | "OpenAiClient.stream"
  | "OpenAiClient.stream, one by one"
  | "OpenAiApi.chatStream"
  | "getOpenAIApi"
  | "bare undici"

export interface Work extends CrowdSize {
  readonly variant: Variant
  readonly baseURL: string
  readonly ca: string
  readonly maxConnections: number
}

const work = input<Work>()
const { atOnce, baseURL, ca, calls, maxConnections, variant, warmUp } = work
const { origin, pathname } = new URL(`${baseURL}/chat/completions`)
const apiKey = "sk-bench-0"
const options = { baseURL, apiKey, transport: { maxConnections } }
setDefaultCACertificates([ca])

const measured = (call: (i: number) => Promise<unknown>): Promise<number> => cpuPerCall(work, call)

type Piece = { readonly choices: ReadonlyArray<{ readonly delta: { readonly content?: string | null } }> }

const contentOf = ({ choices }: Piece): string => choices[0]?.delta.content ?? ""

const textOf = async (pieces: AsyncIterable<Piece>): Promise<string> => {
  let text = ""
  for await (const piece of pieces) text += contentOf(piece)
  return text
}

const asked = (i: number) => ({ ...question(i), stream: true as const })

const sdk = async (fetch?: typeof globalThis.fetch): Promise<number> => {
  const { OpenAI } = await import("openai")
  const { completions } = new OpenAI({ baseURL, apiKey, fetch }).chat
  return measured(async (i) => textOf(await completions.create(asked(i))))
}

const ourFetch = async (): Promise<number> => {
  const { getFetch } = await import("clientele/Promise")
  return sdk(getFetch({ provider: "openai", ...options }))
}

const getter = async (): Promise<number> => {
  const { getOpenAIClient } = await import("clientele/promise/openai")
  return measured(async (i) => textOf(await getOpenAIClient(options).chat.completions.create(asked(i))))
}

const promise = async (): Promise<number> => {
  const { getOpenAIApi } = await import("clientele/Promise")
  return measured((i) => textOf(getOpenAIApi(options).chatStream(question(i))))
}

type Config = ClientConfig<"openai">
type Open = (config: Config, i: number) => Stream<Piece, unknown, ClientMap>

/** `isOneByOne`: else chunk by chunk. What Effect's streams do for each element is the consumer's choice. */
const effect = async (open: () => Promise<Open>, isOneByOne = false): Promise<number> => {
  const Effect = await import("effect/Effect")
  const Redacted = await import("effect/Redacted")
  const Stream = await import("effect/Stream")
  const ClientLayer = await import("clientele/ClientLayer")
  const OpenAiApi = await import("clientele/OpenAiApi")
  const stream = await open()
  return Effect.gen(function* () {
    const config = yield* OpenAiApi.config({ ...options, apiKey: Redacted.make(apiKey) })
    const call = (i: number): Effect<string, unknown, ClientMap> =>
      Effect.suspend(() => {
        let text = ""
        const add = (piece: Piece) => {
          text += contentOf(piece)
          return Effect.void
        }
        const addAll = (pieces: Iterable<Piece>) => {
          for (const piece of pieces) text += contentOf(piece)
          return Effect.void
        }
        const all = stream(config, i)
        return Effect.map(isOneByOne ? Stream.runForEach(all, add) : Stream.runForEachChunk(all, addAll), () => text)
      })
    const run = (size: number) =>
      Effect.forEach(
        Array.from({ length: size }, (_, i) => i),
        call,
        { concurrency: atOnce, discard: true }
      )
    yield* run(warmUp)
    const from = process.cpuUsage()
    yield* run(calls)
    return cpuSince(from, calls)
  }).pipe(Effect.provide(ClientLayer.layer()), Effect.runPromise)
}

const throughSdk = async (): Promise<Open> => {
  const { stream } = await import("clientele/OpenAiClient")
  return (config, i) => stream(config, (openai) => openai.chat.completions.create(asked(i)))
}

const direct = async (): Promise<Open> => {
  const { chatStream } = await import("clientele/OpenAiApi")
  return (config, i) => chatStream(config, question(i))
}

const bare = async (): Promise<number> => {
  const { Pool } = await import("undici")
  const pool = new Pool(origin, { connections: maxConnections })
  const headers = { "content-type": "application/json", authorization: `Bearer ${apiKey}` }
  const cost = await measured(async (i) => {
    const response = await pool.request({ path: pathname, method: "POST", headers, body: JSON.stringify(asked(i)) })
    return response.body.text()
  })
  await pool.close()
  return cost
}

const variants = {
  openai: () => sdk(),
  "openai, getFetch": ourFetch,
  getOpenAIClient: getter,
  "OpenAiClient.stream": () => effect(throughSdk),
  "OpenAiClient.stream, one by one": () => effect(throughSdk, true),
  "OpenAiApi.chatStream": () => effect(direct),
  getOpenAIApi: promise,
  "bare undici": bare
} satisfies Record<Variant, () => Promise<number>>

report(await variants[variant]())
