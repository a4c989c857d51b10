/** The process of one variant of the hit bench. */
import { getOpenAIClient } from "clientele/promise/openai"
import { OpenAI } from "openai"
import { input, report } from "./child.ts"

export interface Work {
  readonly variant: Variant
  /** Number of options in the literal. */
  readonly given: keyof typeof literals
  readonly times: number
}

export type Variant = "new OpenAI" | "getOpenAIClient"

const { given, times, variant } = input<Work>()

process.env["OPENAI_API_KEY"] = "sk-bench-environment"

/** A new object each time, as in an agent's constructor. */
const literals = {
  nothing: () => undefined,
  few: () => ({ apiKey: "sk-bench-0", baseURL: "https://127.0.0.1:1/v1", timeout: 30_000 }),
  many: () => ({
    apiKey: "sk-bench-0",
    organization: "org-bench",
    project: "proj-bench",
    baseURL: "https://127.0.0.1:1/v1",
    timeout: 30_000,
    maxRetries: 3,
    defaultHeaders: { "x-tenant": "a", "x-team": "b" },
    defaultQuery: { trace: "on" }
  })
}

const literal = literals[given]
const step = variant === "new OpenAI" ? () => new OpenAI(literal()) : () => getOpenAIClient(literal())

/** Nanoseconds of CPU for each, which has been repeated often enough by then to be compiled. */
const cost = (): number => {
  let last: unknown
  const loop = () => {
    for (let i = 0; i < times; i++) last = step()
  }
  loop()
  const from = process.cpuUsage()
  loop()
  const { system, user } = process.cpuUsage(from)
  if (!(last instanceof OpenAI)) throw new Error("it gave no client")
  if (variant === "getOpenAIClient" && step() !== last) throw new Error("it gave another client")
  return ((system + user) * 1000) / times
}

report(cost())
