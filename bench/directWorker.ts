/** The process of one variant of the direct bench: warms up, then measures. Each loads only what it uses. */
import type { Effect } from "effect/Effect"
import type { ClientMap } from "clientele/ClientMap"
import { input, report } from "./child.ts"
import { question } from "./question.ts"

export interface Work {
  readonly variant: "openai" | "direct" | "direct, Promise" | "bare undici"
  readonly kind: "chat" | "stream"
  readonly baseURL: string
  readonly maxConnections: number
  /** Calls at the same time. */
  readonly atOnce: number
  /** Calls that run before those that are measured. */
  readonly warmUp: number
  /** Calls that are measured. */
  readonly calls: number
}

const { atOnce, baseURL, calls, kind, maxConnections, variant, warmUp } = input<Work>()
const { origin, pathname } = new URL(`${baseURL}/chat/completions`)
const apiKey = "sk-bench-0"

/** Microseconds of CPU for each call, in all threads of this process. */
const perCall = (from: NodeJS.CpuUsage): number => {
  const { system, user } = process.cpuUsage(from)
  return (system + user) / calls
}

/** `size` calls, always `atOnce` of them. */
const crowd = async (size: number, call: (i: number) => Promise<unknown>): Promise<void> => {
  let next = 0
  const worker = async () => {
    while (next < size) await call(next++)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

const measured = async (call: (i: number) => Promise<unknown>): Promise<number> => {
  await crowd(warmUp, call)
  const from = process.cpuUsage()
  await crowd(calls, call)
  return perCall(from)
}

type Piece = { readonly choices: ReadonlyArray<{ readonly delta: { readonly content?: string | null } }> }

const textOf = async (pieces: AsyncIterable<Piece>): Promise<string> => {
  let text = ""
  for await (const { choices } of pieces) text += choices[0]?.delta.content ?? ""
  return text
}

const openai = async (): Promise<number> => {
  const { OpenAI } = await import("openai")
  const client = new OpenAI({ baseURL, apiKey })
  const { completions } = client.chat
  return measured(
    kind === "chat"
      ? async (i) => (await completions.create(question(i))).choices[0]?.message.content ?? ""
      : async (i) => textOf(await completions.create({ ...question(i), stream: true }))
  )
}

const direct = async (): Promise<number> => {
  const Effect = await import("effect/Effect")
  const Redacted = await import("effect/Redacted")
  const Stream = await import("effect/Stream")
  const ClientLayer = await import("clientele/ClientLayer")
  const OpenAiApi = await import("clientele/OpenAiApi")
  return Effect.gen(function* () {
    const config = yield* OpenAiApi.config({
      baseURL,
      apiKey: Redacted.make(apiKey),
      transport: { maxConnections }
    })
    const call = (i: number): Effect<string, unknown, ClientMap> =>
      kind === "chat"
        ? Effect.map(OpenAiApi.chat(config, question(i)), ({ choices }) => choices[0]?.message.content ?? "")
        : Effect.suspend(() => {
            let text = ""
            // Chunk by chunk: what Effect's streams do for each element is the consumer's choice.
            const add = (chunk: Iterable<Piece>) => {
              for (const { choices } of chunk) text += choices[0]?.delta.content ?? ""
              return Effect.void
            }
            return Effect.map(Stream.runForEachChunk(OpenAiApi.chatStream(config, question(i)), add), () => text)
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
    return perCall(from)
  }).pipe(Effect.provide(ClientLayer.layer()), Effect.runPromise)
}

const promise = async (): Promise<number> => {
  const { getOpenAIApi } = await import("clientele/Promise")
  const api = () => getOpenAIApi({ baseURL, apiKey, transport: { maxConnections } })
  return measured(
    kind === "chat"
      ? async (i) => (await api().chat(question(i))).choices[0]?.message.content ?? ""
      : (i) => textOf(api().chatStream(question(i)))
  )
}

const bare = async (): Promise<number> => {
  const { Pool } = await import("undici")
  const pool = new Pool(origin, { connections: maxConnections })
  const headers = { "content-type": "application/json", authorization: `Bearer ${apiKey}` }
  const cost = await measured(async (i) => {
    const body = JSON.stringify(kind === "chat" ? question(i) : { ...question(i), stream: true })
    const response = await pool.request({ path: pathname, method: "POST", headers, body })
    return kind === "chat" ? response.body.json() : response.body.text()
  })
  await pool.close()
  return cost
}

const variants = { openai, direct, "direct, Promise": promise, "bare undici": bare } satisfies Record<
  Work["variant"],
  () => Promise<number>
>

report(await variants[variant]())
