/** Token usage as @effect/ai has it, flat. */
import * as Response from "@effect/ai/Response"
import type { Counts, Reported } from "./usageCounts.ts"

type Encoded = Response.FinishPartEncoded["usage"]

const number = (u: unknown): number | undefined => (typeof u === "number" ? u : undefined)

export const encoded = ({ cached, input, output, reasoning, total }: Reported): Encoded => {
  const reasoningTokens = number(reasoning)
  const cachedInputTokens = number(cached)
  return {
    inputTokens: number(input),
    outputTokens: number(output),
    totalTokens: number(total),
    ...(reasoningTokens !== undefined && { reasoningTokens }),
    ...(cachedInputTokens !== undefined && { cachedInputTokens })
  }
}

export const decoded = (usage: Encoded): Response.Usage => new Response.Usage(usage, { disableValidation: true })

export const countsOf = (usage: Encoded | Response.Usage): Counts => ({
  inputTokens: usage.inputTokens ?? undefined,
  outputTokens: usage.outputTokens ?? undefined,
  totalTokens: usage.totalTokens ?? undefined
})
