/** The process of one variant of the CPU benches: warms up, then measures. Each loads only what it uses. */
import { setDefaultCACertificates } from "node:tls"
import type { Target } from "./agents.ts"
import { input, report } from "./child.ts"
import { question } from "./question.ts"

export interface Work {
  readonly variant:
    | "clientele"
    | "clientele, rounds"
    | "getOpenAIClient"
    | "default fetch"
    | "thin fetch"
    | "bare undici"
  readonly target: Target
  /** Agents at the same time. */
  readonly atOnce: number
  /** Agents that run before those that are measured. */
  readonly warmUp: number
  /** Agents that are measured. */
  readonly agents: number
}

const { agents, atOnce, target, variant, warmUp } = input<Work>()
const baseURL = target.baseURLs[0]!
const { origin, pathname } = new URL(`${baseURL}/chat/completions`)
const apiKey = "sk-bench-0"

/** Microseconds of CPU for each agent, in all threads of this process. */
const perAgent = (from: NodeJS.CpuUsage): number => {
  const { system, user } = process.cpuUsage(from)
  return (system + user) / agents
}

/** `size` agents, always `atOnce` of them. */
const crowd = async (size: number, agent: (i: number) => Promise<unknown>): Promise<void> => {
  let next = 0
  const worker = async () => {
    while (next < size) await agent(next++)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

const measured = async (agent: (i: number) => Promise<unknown>): Promise<number> => {
  await crowd(warmUp, agent)
  const from = process.cpuUsage()
  await crowd(agents, agent)
  return perAgent(from)
}

/** In rounds: a fiber for each agent, and the next round when the last of them has ended. Else fibers go from agent to agent. */
const clientele = async (inRounds: boolean): Promise<number> => {
  const Effect = await import("effect/Effect")
  const ClientLayer = await import("clientele/ClientLayer")
  const { configs, crowd } = await import("./agents.ts")
  return Effect.gen(function* () {
    const all = yield* configs(target)
    const run = (size: number) =>
      inRounds ? Effect.repeatN(crowd(all, atOnce, atOnce), size / atOnce - 1) : crowd(all, size, atOnce)
    yield* run(warmUp)
    const from = process.cpuUsage()
    yield* run(agents)
    return perAgent(from)
  }).pipe(Effect.provide(ClientLayer.layer()), Effect.runPromise)
}

/** Asks for the client at each call, as an agent does that makes its own. */
const promise = async (): Promise<number> => {
  setDefaultCACertificates([target.ca])
  const { getOpenAIClient } = await import("clientele/promise/openai")
  const { maxConnections } = target
  return measured(async (i) => {
    const openai = getOpenAIClient({ baseURL, apiKey, transport: { maxConnections } })
    const completion = await openai.chat.completions.create(question(i))
    return completion.choices[0]?.message.content ?? ""
  })
}

const sdk = async (fetch?: typeof globalThis.fetch): Promise<number> => {
  setDefaultCACertificates([target.ca])
  const { OpenAI } = await import("openai")
  const openai = new OpenAI({ baseURL, apiKey, fetch })
  return measured(async (i) => {
    const completion = await openai.chat.completions.create(question(i))
    return completion.choices[0]?.message.content ?? ""
  })
}

const thin = async (): Promise<number> => {
  const { Pool } = await import("undici")
  const pool = new Pool(origin, { connections: target.maxConnections ?? 64 })
  const cost = await sdk(async (_, init) => {
    const { body, headers, statusCode } = await pool.request({
      path: pathname,
      method: "POST",
      headers: Object.fromEntries(init?.headers as Headers),
      body: init?.body as string
    })
    return new Response(await body.text(), { status: statusCode, headers: headers as Record<string, string> })
  })
  await pool.close()
  return cost
}

const bare = async (): Promise<number> => {
  const { Pool } = await import("undici")
  const pool = new Pool(origin, { connections: target.maxConnections ?? 64 })
  const headers = { "content-type": "application/json", authorization: `Bearer ${apiKey}` }
  const cost = await measured(async (i) => {
    const body = JSON.stringify(question(i))
    return (await pool.request({ path: pathname, method: "POST", headers, body })).body.json()
  })
  await pool.close()
  return cost
}

const variants = {
  clientele: () => clientele(false),
  "clientele, rounds": () => clientele(true),
  getOpenAIClient: promise,
  "default fetch": () => sdk(),
  "thin fetch": thin,
  "bare undici": bare
} satisfies Record<Work["variant"], () => Promise<number>>

report(await variants[variant]())
