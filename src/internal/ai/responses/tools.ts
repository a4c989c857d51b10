/** Tools and formats as the Responses API has them. */
import type * as LanguageModel from "@effect/ai/LanguageModel"
import * as Tool from "@effect/ai/Tool"
import { choice } from "../parts.ts"
import * as Schemas from "../schemas.ts"

type Field = Readonly<Record<string, unknown>>

const toolOf = (tool: Tool.Any, strictly: boolean): Field => {
  if (Tool.isProviderDefined(tool)) return { type: tool.providerName, ...(tool.args as object) }
  // The API's own default for `strict` is true, so it is always sent.
  return { type: "function", ...Schemas.functionOf(tool, strictly) }
}

export const fields = (
  { responseFormat, toolChoice, tools }: Pick<LanguageModel.ProviderOptions, "responseFormat" | "tools" | "toolChoice">,
  strictly: boolean
): Field => ({
  ...(tools.length > 0 && {
    tools: tools.map((tool) => toolOf(tool, strictly)),
    tool_choice: choice(toolChoice as never, (name) => ({ type: "function", name }))
  }),
  ...(responseFormat.type === "json" && {
    text: { format: { type: "json_schema", ...Schemas.formatOf(responseFormat, strictly) } }
  })
})
