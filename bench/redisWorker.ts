/** Cost of a request in a process that counts for itself, or in Redis: time and CPU. */
import * as Effect from "effect/Effect"
import * as OpenAiClient from "clientele/OpenAiClient"
import { clients, configs, crowd, type Redis, type Target } from "./agents.ts"
import { input, report } from "./child.ts"
import { question } from "./question.ts"

export interface Work {
  readonly target: Target
  readonly redis?: Redis | undefined
}

export interface Cost {
  /** Milliseconds that a request takes, with few at once. */
  readonly p50: number
  readonly p99: number
  /** Microseconds of CPU for a request, with many at once. */
  readonly cpu: number
}

const { redis, target } = input<Work>()

/** Agents at once: so few that nobody waits for a socket or the CPU, and as many as the CPU bench has. */
const FEW = 4
const TIMED = 8_000
const MANY = 2_000
const WARM_UP = 6_000
const AGENTS = 10_000

const program = Effect.gen(function* () {
  const all = yield* configs(target)
  yield* crowd(all, WARM_UP, MANY)
  const from = process.cpuUsage()
  yield* crowd(all, AGENTS, MANY)
  const { system, user } = process.cpuUsage(from)
  const times: Array<number> = []
  const timed = (i: number) =>
    Effect.suspend(() => {
      const start = performance.now()
      return Effect.map(
        OpenAiClient.use(all[0], (openai) => openai.chat.completions.create(question(i))),
        () => void times.push(performance.now() - start)
      )
    })
  yield* Effect.forEach(
    Array.from({ length: TIMED }, (_, i) => i),
    timed,
    { concurrency: FEW, discard: true }
  )
  times.sort((a, b) => a - b)
  const at = (part: number) => times[Math.floor(part * times.length)] ?? NaN
  return { p50: at(0.5), p99: at(0.99), cpu: (system + user) / AGENTS }
})

report((await program.pipe(Effect.provide(await clients(redis)), Effect.runPromise)) satisfies Cost)
