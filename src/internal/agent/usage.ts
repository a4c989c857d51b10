/** Token usage of all rounds of a loop together. */
import type { Counts } from "../ai/usageCounts.ts"

const names = ["inputTokens", "outputTokens", "totalTokens"] as const

export const make = () => {
  const sum: { -readonly [Name in keyof Counts]?: number } = {}
  return {
    add: (usage: Partial<Counts>): void => {
      for (const name of names) {
        const one = usage[name]
        if (one !== undefined) sum[name] = (sum[name] ?? 0) + one
      }
    },
    total: (): Counts => ({
      inputTokens: sum.inputTokens,
      outputTokens: sum.outputTokens,
      totalTokens: sum.totalTokens
    })
  }
}
