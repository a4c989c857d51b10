/** Twelve configurations: four tenants at three providers, each with a key, a header and a timeout of its own. */

export type ProviderName = "openai" | "groq" | "cerebras"

export interface Setup {
  readonly provider: ProviderName
  readonly model: string
  readonly apiKey: string
  readonly baseURL: string
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds to the answer's headers. */
  readonly timeout: number
}

/** Variable with the base URLs of the three providers, as JSON. */
export const BASE_URLS = "MOVIES_BASE_URLS"

const models = { openai: "gpt-5-mini", groq: "llama-3.3-70b-versatile", cerebras: "gpt-oss-120b" } as const

const tenants = [
  { name: "north", timeout: 30_000 },
  { name: "east", timeout: 30_000 },
  { name: "south", timeout: 45_000 },
  { name: "west", timeout: 60_000 }
] as const

const baseURLs = JSON.parse(process.env[BASE_URLS] ?? "{}") as Readonly<Record<ProviderName, string>>

const setups: ReadonlyArray<Setup> = tenants.flatMap(({ name, timeout }) =>
  (["openai", "groq", "cerebras"] as const).map((provider) => ({
    provider,
    model: models[provider],
    apiKey: `sk-${provider}-${name}`,
    baseURL: baseURLs[provider],
    headers: { "x-tenant": name },
    timeout
  }))
)

/** Rows take turns over the setups. */
export const setupOf = (row: number): Setup => setups[row % setups.length]!
