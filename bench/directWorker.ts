/** The process of one variant of the direct bench: warms up, then measures. Each loads only what it uses. */
import type { Effect } from "effect/Effect"
import type { ClientMap } from "clientele/ClientMap"
import { input, report } from "./child.ts"
import { cpuPerCall, cpuSince, type CrowdSize } from "./crowd.ts"
import { question } from "./question.ts"

export interface Work extends CrowdSize {
  readonly variant: "openai" | "direct" | "direct, Promise" | "bare undici"
  readonly baseURL: string
  readonly maxConnections: number
}

const work = input<Work>()
const { atOnce, baseURL, calls, maxConnections, variant, warmUp } = work
const { origin, pathname } = new URL(`${baseURL}/chat/completions`)
const apiKey = "sk-bench-0"

const measured = (call: (i: number) => Promise<unknown>): Promise<number> => cpuPerCall(work, call)

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
    return cpuSince(from, calls)
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
