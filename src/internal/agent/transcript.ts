/** The conversation so far, as the prompt of the next round. */
import * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import type * as Tool from "@effect/ai/Tool"
import type { ToolOutcome } from "./toolCall.ts"
import { promptPartOf } from "./toolRun.ts"

export type ResponseParts = ReadonlyArray<Response.Part<Record<string, Tool.Any>> | Response.PartEncoded>

/** The model's own message, with the parts that its provider requires to be repeated. */
const assistant = (parts: ResponseParts): Prompt.Prompt => {
  const content = parts.flatMap((part): Array<Prompt.AssistantMessagePart> => {
    const options = part.metadata ?? {}
    switch (part.type) {
      case "text":
        return [Prompt.makePart("text", { text: part.text, options })]
      case "reasoning":
        return [Prompt.makePart("reasoning", { text: part.text, options })]
      case "tool-call": {
        const { id, name, params, providerExecuted = false } = part
        return [Prompt.makePart("tool-call", { id, name, params, providerExecuted, options })]
      }
      default:
        return []
    }
  })
  return content.length === 0 ? Prompt.empty : Prompt.fromMessages([Prompt.makeMessage("assistant", { content })])
}

const tool = (outcomes: ReadonlyArray<ToolOutcome>): Prompt.Prompt =>
  outcomes.length === 0
    ? Prompt.empty
    : Prompt.fromMessages([
        Prompt.makeMessage("tool", {
          content: outcomes.map(promptPartOf)
        })
      ])

export const after = (
  before: Prompt.Prompt,
  parts: ResponseParts,
  outcomes: ReadonlyArray<ToolOutcome>
): Prompt.Prompt => Prompt.merge(Prompt.merge(before, assistant(parts)), tool(outcomes))
