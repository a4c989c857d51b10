/** Types of SDK classes whose clients are pooled. */

/** The classes that are trapped. */
export type Name = "OpenAI" | "AzureOpenAI" | "Groq" | "Cerebras"

/** An SDK's class. */
export type Class = new (...args: ReadonlyArray<unknown>) => object

export interface Made {
  readonly client: object
  /** True if it has connections of its own. */
  readonly plain: boolean
}
