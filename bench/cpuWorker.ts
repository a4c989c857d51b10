/** The process of one variant of the CPU bench: warms up, then measures. Each loads only what it uses. */
import type { Target } from "./agents.ts"
import { input, report } from "./child.ts"
import { question } from "./question.ts"

export interface Work {
  readonly variant: "clientele" | "default fetch" | "thin fetch" | "bare undici"
  readonly target: Target
  readonly agents: number
  /** Rounds of all agents at once, before those that are measured. */
  readonly warmUp: number
  readonly rounds: number
}

const { agents, rounds, target, variant, warmUp } = input<Work>()
const baseURL = target.baseURLs[0]!
const { origin, pathname } = new URL(`${baseURL}/chat/completions`)
const apiKey = "sk-bench-0"

/** Microseconds of CPU for each request, in all threads of this process. */
const perRequest = (from: NodeJS.CpuUsage): number => {
  const { system, user } = process.cpuUsage(from)
  return (system + user) / (agents * rounds)
}

const measured = async (agent: (i: number) => Promise<unknown>): Promise<number> => {
  const round = () => Promise.all(Array.from({ length: agents }, (_, i) => agent(i)))
  for (let i = 0; i < warmUp; i++) await round()
  const from = process.cpuUsage()
  for (let i = 0; i < rounds; i++) await round()
  return perRequest(from)
}

const clientele = async (): Promise<number> => {
  const Effect = await import("effect/Effect")
  const ClientLayer = await import("clientele/ClientLayer")
  const { configs, crowd } = await import("./agents.ts")
  return Effect.gen(function* () {
    const round = crowd(yield* configs(target), agents)
    yield* Effect.repeatN(round, warmUp - 1)
    const from = process.cpuUsage()
    yield* Effect.repeatN(round, rounds - 1)
    return perRequest(from)
  }).pipe(Effect.provide(ClientLayer.layer()), Effect.runPromise)
}

const sdk = async (fetch?: typeof globalThis.fetch): Promise<number> => {
  const { OpenAI } = await import("openai")
  const openai = new OpenAI({ baseURL, apiKey, fetch })
  return measured(async (i) => {
    const completion = await openai.chat.completions.create(question(i))
    return completion.choices[0]?.message.content ?? ""
  })
}

const thin = async (): Promise<number> => {
  const { Pool } = await import("undici")
  const pool = new Pool(origin, { connections: 64 })
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
  const pool = new Pool(origin, { connections: 64 })
  const headers = { "content-type": "application/json", authorization: `Bearer ${apiKey}` }
  const cost = await measured(async (i) => {
    const body = JSON.stringify(question(i))
    return (await pool.request({ path: pathname, method: "POST", headers, body })).body.json()
  })
  await pool.close()
  return cost
}

const variants = {
  clientele,
  "default fetch": () => sdk(),
  "thin fetch": thin,
  "bare undici": bare
} satisfies Record<Work["variant"], () => Promise<number>>

report(await variants[variant]())
