/** The process of one variant of the direct bench: warms up, then measures. Each loads only what it uses. */
import type { Effect } from "effect/Effect"
import type { ClientMap } from "clientele/ClientMap"
import { input, report } from "./child.ts"
import { question } from "./question.ts"

export interface Work {
  readonly variant: "openai" | "direct" | "direct, Promise" | "bare undici"
  readonly baseURL: string
  readonly maxConnections: number
  /** Calls at the same time. */
  readonly atOnce: number
  /** Calls that run before those that are measured. */
  readonly warmUp: number
  /** Calls that are measured. */
  readonly calls: number
}

const { atOnce, baseURL, calls, maxConnections, variant, warmUp } = input<Work>()
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

const openai = async (): Promise<number> => {
  const { OpenAI } = await import("openai")
  const client = new OpenAI({ baseURL, apiKey })
  const { completions } = client.chat
  return measured(async (i) => (await completions.create(question(i))).choices[0]?.message.content ?? "")
}

const direct = async (): Promise<number> => {
  const Effect = await import("effect/Effect")
  const Redacted = await import("effect/Redacted")
  const ClientLayer = await import("clientele/ClientLayer")
  const OpenAiApi = await import("clientele/OpenAiApi")
  return Effect.gen(function* () {
    const config = yield* OpenAiApi.config({
      baseURL,
      apiKey: Redacted.make(apiKey),
      transport: { maxConnections }
    })
    const call = (i: number): Effect<string, unknown, ClientMap> =>
      Effect.map(OpenAiApi.chat(config, question(i)), ({ choices }) => choices[0]?.message.content ?? "")
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
  return measured(async (i) => (await api().chat(question(i))).choices[0]?.message.content ?? "")
}

const bare = async (): Promise<number> => {
  const { Pool } = await import("undici")
  const pool = new Pool(origin, { connections: maxConnections })
  const headers = { "content-type": "application/json", authorization: `Bearer ${apiKey}` }
  const cost = await measured(async (i) => {
    const body = JSON.stringify(question(i))
    return (await pool.request({ path: pathname, method: "POST", headers, body })).body.json()
  })
  await pool.close()
  return cost
}

const variants = { openai, direct, "direct, Promise": promise, "bare undici": bare } satisfies Record<
  Work["variant"],
  () => Promise<number>
>

report(await variants[variant]())
