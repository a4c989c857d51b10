/** Costs of usage, and their upper bounds. */
import type { Usage } from "../result.ts"
import type { Price } from "./prices.ts"

const TOKENS_PER_UNIT = 1_000_000

export const noUsage: Usage = { input: 0, output: 0, cachedInput: 0 }

export const sumOf = (a: Usage, b: Usage): Usage => ({
  input: a.input + b.input,
  output: a.output + b.output,
  cachedInput: a.cachedInput + b.cachedInput
})

/** US dollars of one answer. */
export const costOfUsage = (price: Price, { cachedInput, input, output }: Usage): number => {
  const isLong = price.long !== undefined && input > price.long.above
  const of = isLong ? price.long! : price
  const cached = (price.cachedInput ?? price.input) * (isLong ? of.input / price.input : 1)
  return ((input - cachedInput) * of.input + cachedInput * cached + output * of.output) / TOKENS_PER_UNIT
}

/** Most that a request may cost: nothing cached, and the dearer tier if it may come to that. */
export const mostOf = (price: Price, input: number, output: number): number => {
  const { long } = price
  const at = (tier: { readonly input: number; readonly output: number }) =>
    (input * Math.max(tier.input, price.cachedInput ?? 0) + output * tier.output) / TOKENS_PER_UNIT
  return long !== undefined && input > long.above ? Math.max(at(price), at(long)) : at(price)
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const first = (...values: ReadonlyArray<unknown>): number | undefined => values.find(isCount)

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {})

/** Usage as providers write it; `undefined` if it has no counts. */
export const usageIn = (usage: unknown): Usage | undefined => {
  const fields = fieldsOf(usage)
  const input = first(fields["prompt_tokens"], fields["input_tokens"])
  const output = first(fields["completion_tokens"], fields["output_tokens"])
  if (input === undefined && output === undefined) return undefined
  // Anthropic counts what is read from the cache or written to it beside the rest.
  const apart = first(fields["cache_read_input_tokens"]) ?? 0
  const written = first(fields["cache_creation_input_tokens"]) ?? 0
  const details = fieldsOf(fields["prompt_tokens_details"] ?? fields["input_tokens_details"])
  const cached = first(details["cached_tokens"])
  return {
    input: (input ?? 0) + apart + written,
    output: output ?? 0,
    cachedInput: Math.min(cached ?? apart, (input ?? 0) + apart + written)
  }
}
