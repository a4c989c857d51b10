/** Weighs the heap of one crowd of callers without Effect. Needs --expose-gc. */
import { setTimeout } from "node:timers/promises"
import { makeClients } from "clientele/Promise"
import { getOpenAIClient } from "clientele/promise/openai"
import { input, report } from "./child.ts"
import { question } from "./question.ts"

export interface Work {
  readonly baseURL: string
  readonly ca: string
  /** `again`: a few configurations, asked for over and over. `once`: as many as there are calls, each with one request. */
  readonly variant: "again" | "once"
  /** Calls before the first weighing, and all in all. */
  readonly few: number
  readonly many: number
}

/** In MB. */
export interface Heaps {
  readonly few: number
  readonly many: number
}

const { baseURL, ca, few, many, variant } = input<Work>()

const CONFIGS = 10
const AT_ONCE = 64
/** In milliseconds. Long enough for a client to be used again, short enough to be waited for. */
const IDLE = 1_000

/** Several times: finalization registries let go of things between turns of the loop, and others of what those held. */
const weigh = async (): Promise<number> => {
  for (let i = 0; i < 4; i++) {
    await setTimeout(50)
    globalThis.gc?.()
  }
  return process.memoryUsage().heapUsed / 2 ** 20
}

await using clients = makeClients({ idleTimeToLive: IDLE })

const clientOf = (key: string) => getOpenAIClient({ baseURL, apiKey: key, timeout: 30_000, transport: { ca } }, clients)

const again = async (): Promise<Heaps> => {
  const all = new Set<object>()
  const ask = (times: number) => {
    for (let i = 0; i < times; i++) all.add(clientOf(`sk-bench-${i % CONFIGS}`))
  }
  ask(few)
  const first = await weigh()
  ask(many - few)
  if (all.size !== CONFIGS) throw new Error(`${all.size} clients of ${CONFIGS} configurations`)
  return { few: first, many: await weigh() }
}

const once = async (): Promise<Heaps> => {
  let next = 0
  const tenants = async (to: number): Promise<void> => {
    const tenant = async () => {
      while (next < to) {
        const i = next++
        await clientOf(`sk-tenant-${i}`).chat.completions.create(question(i))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, tenant))
    // An object is let go of after at most one and a half idle times, and its client after one.
    await setTimeout(2 * IDLE)
  }
  await tenants(few)
  const first = await weigh()
  await tenants(many)
  return { few: first, many: await weigh() }
}

const heaps = variant === "again" ? await again() : await once()
report(heaps satisfies Heaps)
