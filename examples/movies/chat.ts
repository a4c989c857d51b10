/** Questions and answers of agents, the same for every provider. */

export interface Movie {
  readonly Title: string
  readonly "Major Genre": string | null
  readonly "Release Date": string | null
}

export const question = (model: string, movie: Movie) => ({
  model,
  messages: [
    {
      role: "user" as const,
      content: `Sum up in one sentence: ${movie.Title} (${movie["Major Genre"] ?? ""}, ${movie["Release Date"] ?? ""})`
    }
  ]
})

/** The parts of a completion on which the SDKs' types agree. */
export interface Completion {
  readonly choices?: ReadonlyArray<{
    readonly index: number
    readonly message?: { readonly content?: string | null } | null
  }> | null
  readonly model?: unknown
  readonly usage?: unknown
  /** Here for the types of Cerebras alone, which do not distinguish a whole answer from a piece of a stream. */
  readonly error?: unknown
}

export const answer = (completion: Completion): string => completion.choices?.[0]?.message?.content ?? ""
