/**
 * Prices of models. List prices of the providers (openai.com/api/pricing, groq.com/pricing, cerebras.ai/pricing), standard
 * tier. They change; `PRICES_AS_OF` is when they were last compared, by way of pydantic/genai-prices and litellm.
 */

/**
 * US dollars for a million tokens.
 *
 * @since 0.1.0
 * @category models
 */
export interface Price {
  readonly input: number
  readonly output: number
  /** @default input */
  readonly cachedInput?: number | undefined
  /** Prices of requests with a longer prompt. @default none */
  readonly long?: { readonly above: number; readonly input: number; readonly output: number } | undefined
}

/**
 * Prices by "provider:model", or by model alone, which holds for all providers.
 *
 * @since 0.1.0
 * @category models
 */
export type Prices = Readonly<Record<string, Price>>

export const PRICES_AS_OF = "2026-08-21"

/** Dollars for a million tokens: input, cached input, output. */
type Row = readonly [input: number, cachedInput: number, output: number, longAbove?: number]

/** Prompts above it cost twice as much, and their answers half as much again. */
const LONG_PROMPT_TOKENS = 272_000

const rows: Readonly<Record<string, Row>> = {
  "openai:gpt-5.6": [5, 0.5, 30, LONG_PROMPT_TOKENS],
  "openai:gpt-5.6-sol": [5, 0.5, 30, LONG_PROMPT_TOKENS],
  "openai:gpt-5.6-terra": [2, 0.2, 12, LONG_PROMPT_TOKENS],
  "openai:gpt-5.6-luna": [0.2, 0.02, 1.2, LONG_PROMPT_TOKENS],
  "openai:gpt-5.5": [5, 0.5, 30],
  "openai:gpt-5.4": [2.5, 0.25, 15, LONG_PROMPT_TOKENS],
  "openai:gpt-5.4-mini": [0.75, 0.075, 4.5],
  "openai:gpt-5.4-nano": [0.2, 0.02, 1.25],
  "openai:gpt-5.2": [1.75, 0.175, 14],
  "openai:gpt-5.1": [1.25, 0.125, 10],
  "openai:gpt-5": [1.25, 0.125, 10],
  "openai:gpt-5-mini": [0.25, 0.025, 2],
  "openai:gpt-5-nano": [0.05, 0.005, 0.4],
  "openai:gpt-4.1": [2, 0.5, 8],
  "openai:gpt-4.1-mini": [0.4, 0.1, 1.6],
  "openai:gpt-4.1-nano": [0.1, 0.025, 0.4],
  "openai:gpt-4o": [2.5, 1.25, 10],
  "openai:gpt-4o-mini": [0.15, 0.075, 0.6],
  "openai:gpt-4-turbo": [10, 10, 30],
  "openai:gpt-4": [30, 30, 60],
  "openai:gpt-3.5-turbo": [0.5, 0.5, 1.5],
  "openai:o4-mini": [1.1, 0.275, 4.4],
  "openai:o3": [2, 0.5, 8],
  "openai:o3-mini": [1.1, 0.55, 4.4],
  "groq:llama-3.3-70b-versatile": [0.59, 0.59, 0.79],
  "groq:llama-3.1-8b-instant": [0.05, 0.05, 0.08],
  "groq:meta-llama/llama-4-maverick-17b-128e-instruct": [0.2, 0.2, 0.6],
  "groq:meta-llama/llama-4-scout-17b-16e-instruct": [0.11, 0.11, 0.34],
  "groq:meta-llama/llama-guard-4-12b": [0.2, 0.2, 0.2],
  "groq:moonshotai/kimi-k2-instruct": [1, 0.5, 3],
  "groq:moonshotai/kimi-k2-instruct-0905": [1, 0.5, 3],
  "groq:openai/gpt-oss-120b": [0.15, 0.075, 0.6],
  "groq:openai/gpt-oss-20b": [0.075, 0.0375, 0.3],
  "groq:qwen/qwen3-32b": [0.29, 0.29, 0.59],
  "cerebras:gpt-oss-120b": [0.35, 0.35, 0.75],
  "cerebras:llama-3.3-70b": [0.85, 0.85, 1.2],
  "cerebras:llama3.1-8b": [0.1, 0.1, 0.1],
  "cerebras:qwen-3-32b": [0.4, 0.4, 0.8]
}

const priceIn = ([input, cachedInput, output, above]: Row): Price => ({
  input,
  cachedInput,
  output,
  ...(above !== undefined && { long: { above, input: input * 2, output: output * 1.5 } })
})

const known: ReadonlyMap<string, Price> = new Map(Object.entries(rows).map(([name, row]) => [name, priceIn(row)]))

/** Names of dated versions, "gpt-5-mini-2025-08-07", cost what the model does. */
const withoutDate = (model: string): string => model.replace(/-\d{4}-\d{2}-\d{2}$/, "")

const bareName = (model: string): string => model.replace(/^(?:openai|azure|groq|cerebras):/, "")

/** The price of a model without a provider, if one provider alone has it. */
const onlyOne = (name: string): Price | undefined => {
  const found = [...known].filter(([key]) => bareName(key) === name)
  return found.length === 1 ? found[0]![1] : undefined
}

/** The user's price of a model. */
export const ownPriceOf = (model: string, own: Prices = {}): Price | undefined => {
  for (const name of [model, withoutDate(model)]) {
    for (const key of [name, bareName(name)]) if (Object.hasOwn(own, key)) return own[key]
  }
  return undefined
}

/** The price of "provider:model", or of a model. Deployments of Azure have names of their owner's, and no price here. */
export const priceOf = (model: string, own?: Prices): Price | undefined => {
  const name = withoutDate(model)
  return ownPriceOf(model, own) ?? known.get(name) ?? (name === bareName(name) ? onlyOne(name) : undefined)
}
