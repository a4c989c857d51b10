/** Tools and formats as `chat.completions` has them. */
import type * as LanguageModel from "@effect/ai/LanguageModel"
import * as Tool from "@effect/ai/Tool"
import { choice } from "../parts.ts"
import * as Schemas from "../schemas.ts"

type Field = Readonly<Record<string, unknown>>

/** Tools that the provider runs itself are sent as they are: the provider refuses unknown ones. */
const toolOf = (tool: Tool.Any, strictly: boolean): Field => {
  if (Tool.isProviderDefined(tool)) return { type: tool.providerName, ...(tool.args as object) }
  const { strict, ...rest } = Schemas.functionOf(tool, strictly)
  // Some servers reject the field.
  return { type: "function", function: strict ? { ...rest, strict } : rest }
}

export const fields = (
  { responseFormat, toolChoice, tools }: Pick<LanguageModel.ProviderOptions, "responseFormat" | "tools" | "toolChoice">,
  strictly: boolean
): Field => ({
  ...(tools.length > 0 && {
    tools: tools.map((tool) => toolOf(tool, strictly)),
    tool_choice: choice(toolChoice as never, (name) => ({ type: "function", function: { name } }))
  }),
  ...(responseFormat.type === "json" && {
    response_format: { type: "json_schema", json_schema: Schemas.formatOf(responseFormat, strictly) }
  })
})
