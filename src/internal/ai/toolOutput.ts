/** Result of a tool as the model gets it. */
import type * as Prompt from "@effect/ai/Prompt"

export const outputOf = ({ result }: Prompt.ToolResultPart): unknown => result
