/** Questions and answers of agents, the same for every provider. */

export const providers = ["openai", "azure", "groq", "cerebras"] as const

export interface Job {
  readonly provider: (typeof providers)[number]
  readonly model: string
  /** @default none */
  readonly system?: string | undefined
  /** Longest answer. @default the model's own bound */
  readonly maxTokens?: number | undefined
}

export interface Answer {
  readonly provider: string
  readonly model: string
  readonly text: string
  /** Tokens, if the provider reported them. */
  readonly usage: { readonly input: number; readonly output: number } | undefined
}

export type Question = ReturnType<typeof question>

export const question = (job: Job, prompt: string) => ({
  model: job.model,
  messages: [
    ...(job.system === undefined ? [] : [{ role: "system" as const, content: job.system }]),
    { role: "user" as const, content: prompt }
  ],
  ...(job.maxTokens === undefined ? {} : { max_completion_tokens: job.maxTokens })
})

/** The parts of a completion on which the SDKs' types agree. */
export interface Completion {
  readonly choices?: ReadonlyArray<{
    readonly index: number
    readonly message?: { readonly content?: string | null } | null
  }> | null
  readonly usage?: { readonly prompt_tokens?: number; readonly completion_tokens?: number } | null
  /** Here for the types of Cerebras alone, which do not distinguish a whole answer from a piece of a stream. */
  readonly error?: unknown
}

export const answer = (job: Job, completion: Completion): Answer => ({
  provider: job.provider,
  model: job.model,
  text: completion.choices?.[0]?.message?.content ?? "",
  usage: completion.usage
    ? { input: completion.usage.prompt_tokens ?? 0, output: completion.usage.completion_tokens ?? 0 }
    : undefined
})
