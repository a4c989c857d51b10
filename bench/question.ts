/** What every variant of every bench asks. Apart from `agents.ts`, so that it loads nothing. */
export const question = (i: number) => ({
  model: "test-model",
  messages: [{ role: "user" as const, content: `Sum up row ${i} in a sentence.` }]
})
