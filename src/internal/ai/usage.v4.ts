/** Token usage as effect/ai has it, nested. */
import * as Response from "effect/ai/Response"
import type { Counts, Reported } from "./usageCounts.ts"

type Encoded = Response.FinishPartEncoded["usage"]

const number = (u: unknown): number | undefined => (Number.isSafeInteger(u) ? (u as number) : undefined)

/** Nothing is left of a whole that is unknown. */
const less = (whole: number | undefined, part: number | undefined): number | undefined =>
  whole === undefined || part === undefined ? undefined : Math.max(0, whole - part)

export const encoded = (reported: Reported): Encoded => {
  const cacheRead = number(reported.cached)
  const reasoning = number(reported.reasoning)
  const [input, output] = [number(reported.input), number(reported.output)]
  return {
    inputTokens: { total: input, uncached: less(input, cacheRead), cacheRead, cacheWrite: undefined },
    outputTokens: { total: output, text: less(output, reasoning), reasoning }
  }
}

export const decoded = (usage: Encoded): Response.Usage => new Response.Usage(usage, { disableChecks: true })

export const countsOf = ({ inputTokens: { total: input }, outputTokens: { total: output } }: Encoded): Counts => ({
  inputTokens: input,
  outputTokens: output,
  totalTokens: input === undefined || output === undefined ? undefined : input + output
})
