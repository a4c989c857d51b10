/** A process of agents that ask on and on, through clientele or through nothing but the SDK and its retries. */
import { input, report } from "./child.ts"
import type { Redis, Tally, Target } from "./agents.ts"
import { type Size, sized } from "./question.ts"

export interface Work {
  readonly variant: "clientele" | "openai"
  readonly target: Target
  readonly agents: number
  readonly question: Size
  /** Milliseconds for which the agents ask. */
  readonly ms: number
  /** @default the process counts for itself */
  readonly redis?: Redis | undefined
  /** `maxRetries` of the variant with the SDK alone. @default its own: 2 */
  readonly maxRetries?: number | undefined
}

const work = input<Work>()

const clientele = async (): Promise<Tally> => {
  const Effect = await import("effect/Effect")
  const { clients, configs, restless } = await import("./agents.ts")
  return Effect.gen(function* () {
    const [config] = yield* configs(work.target)
    return yield* restless(config!, work.agents, work.question, work.ms)
  }).pipe(Effect.provide(await clients(work.redis)), Effect.runPromise)
}

const openai = async (): Promise<Tally> => {
  const { APIUserAbortError, OpenAI } = await import("openai")
  const { agents, maxRetries, ms, question, target } = work
  const client = new OpenAI({ baseURL: target.baseURLs[0], apiKey: "sk-bench-0", ...(maxRetries && { maxRetries }) })
  const tally: Tally = { answered: 0, tokens: 0, failed: 0 }
  const aborter = new AbortController()
  let next = 0
  const agent = async (): Promise<void> => {
    while (!aborter.signal.aborted) {
      try {
        const { usage } = await client.chat.completions.create(sized(next++, question), { signal: aborter.signal })
        tally.answered++
        tally.tokens += usage?.total_tokens ?? 0
      } catch (error) {
        if (error instanceof APIUserAbortError) return
        tally.failed++
        tally.first ??= error instanceof Error ? error.message : String(error)
      }
    }
  }
  setTimeout(() => aborter.abort(), ms)
  await Promise.all(Array.from({ length: agents }, agent))
  return tally
}

report(await (work.variant === "clientele" ? clientele() : openai()))
