/** Estimates tokens of a run from some of its prompts, with bounds. */
import type { ChatMessage } from "../../Batch.ts"

export interface Estimate {
  readonly input: { readonly low: number; readonly high: number }
  /** `high` is `undefined` where nothing bounds an answer. */
  readonly output: { readonly low: number; readonly high: number | undefined }
  /** Tells how tokens were counted. */
  readonly method: string
}

export interface EstimateOptions {
  readonly prompts: ReadonlyArray<ReadonlyArray<ChatMessage>>
  /** Rows of the whole run, each repeat counted. */
  readonly rows: number
  readonly model: string
  readonly maxOutputTokens: number | undefined
}

/** Tokens that frame a message, and those that begin the answer: OpenAI's cookbook, "How to count tokens with tiktoken". */
const TOKENS_PER_MESSAGE = 4
const TOKENS_PER_ANSWER = 3

/**
 * Tokens of other vocabularies for one of o200k_base: those of Llama 3, Qwen and DeepSeek lie between on prose and code of
 * European languages; other scripts differ by more.
 */
const OTHER_VOCABULARY = { low: 0.85, high: 1.4 } as const

/** Newer models of OpenAI, all of which use o200k_base. */
const USES_O200K = /^(?:openai|azure|groq):(?:openai\/)?(?:gpt-(?:4o|4\.1|4\.5|5|oss)|chatgpt|o\d)/

/** Standard errors within which nearly all means of samples lie. */
const STANDARD_ERRORS = 3

const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** Half of the interval around the mean of a sample drawn without replacement. */
const uncertainty = (values: ReadonlyArray<number>, population: number): number => {
  const { length } = values
  if (length >= population || length < 2) return 0
  const average = mean(values)
  const variance = values.reduce((sum, value) => sum + (value - average) ** 2, 0) / (length - 1)
  return STANDARD_ERRORS * Math.sqrt((variance / length) * (1 - length / population))
}

export const estimateTokens = async ({ maxOutputTokens, model, prompts, rows }: EstimateOptions): Promise<Estimate> => {
  const { countTokens } = await import("../vendor/tokenizer.ts")
  const tokens = prompts.map((messages) =>
    messages.reduce((sum, { content }) => sum + TOKENS_PER_MESSAGE + countTokens(content), TOKENS_PER_ANSWER)
  )
  const isExact = USES_O200K.test(model)
  const average = tokens.length === 0 ? 0 : mean(tokens)
  const spread = tokens.length === 0 ? 0 : uncertainty(tokens, rows)
  const factors = isExact ? { low: 1, high: 1 } : OTHER_VOCABULARY
  const drawn = tokens.length >= rows ? "all prompts counted" : `${tokens.length} prompts counted`
  return {
    input: { low: Math.max(0, average - spread) * rows * factors.low, high: (average + spread) * rows * factors.high },
    output: { low: rows, high: maxOutputTokens === undefined ? undefined : maxOutputTokens * rows },
    method: isExact ? `${drawn} by the model's tokenizer` : `${drawn} by OpenAI's tokenizer; this model's may differ`
  }
}
