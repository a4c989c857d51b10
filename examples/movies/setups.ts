/** Twelve configurations: four tenants at three providers, each with a key, a header and a timeout of its own. */
import type { Job } from "./chat.ts"

type Provider = "openai" | "groq" | "cerebras"

export interface Setup {
  readonly job: Job & { readonly provider: Provider }
  readonly apiKey: string
  readonly baseURL: string
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds to the answer's headers. */
  readonly timeout: number
}

const models = { openai: "gpt-5-mini", groq: "llama-3.3-70b-versatile", cerebras: "gpt-oss-120b" } as const

const tenants = [
  { name: "north", timeout: 30_000 },
  { name: "east", timeout: 30_000 },
  { name: "south", timeout: 45_000 },
  { name: "west", timeout: 60_000 }
] as const

export const make = (baseURL: Readonly<Record<Provider, string>>): ReadonlyArray<Setup> =>
  tenants.flatMap(({ name, timeout }) =>
    (["openai", "groq", "cerebras"] as const).map((provider) => ({
      job: { provider, model: models[provider] },
      apiKey: `sk-${provider}-${name}`,
      baseURL: baseURL[provider],
      headers: { "x-tenant": name },
      timeout
    }))
  )
