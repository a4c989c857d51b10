/** The question of every variant of every bench. Apart from `agents.ts`, so that it loads nothing. */
export const question = (i: number) => ({
  model: "test-model",
  messages: [{ role: "user" as const, content: `Sum up row ${i} in a sentence.` }]
})

/** Length of a question in tokens as the sandbox counts them, and of the longest answer that it allows. */
export interface Size {
  readonly prompt: number
  /** Said in every other question, as agents do; the others leave it open. */
  readonly maxTokens: number
}

/** The sandbox has a token for every four characters. */
export const sized = (i: number, { maxTokens, prompt }: Size) => ({
  model: "test-model",
  messages: [{ role: "user" as const, content: `Sum up row ${i}: `.padEnd(4 * prompt, "lorem ipsum ") }],
  ...(i % 2 === 0 && { max_tokens: maxTokens })
})
