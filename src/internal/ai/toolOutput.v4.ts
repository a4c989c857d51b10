/** Result of a tool as the model gets it: what `toModelOutput` made of it, as text, or the result. */
import * as Prompt from "effect/ai/Prompt"

export const outputOf = ({ modelOutput, result }: Prompt.ToolResultPart): unknown =>
  modelOutput === undefined ? result : Prompt.toolModelOutputToText(modelOutput)
