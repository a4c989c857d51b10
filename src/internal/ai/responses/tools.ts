/** Tools and formats as the Responses API has them. */
import type * as LanguageModel from "@effect/ai/LanguageModel"
import * as Tool from "@effect/ai/Tool"
import { choice } from "../parts.ts"
import * as Schemas from "../schemas.ts"

type Field = Readonly<Record<string, unknown>>

const toolOf = (tool: Tool.Any, strictly: boolean): Field => {
  if (Tool.isProviderDefined(tool)) return { type: tool.providerName, ...(tool.args as object) }
  const { schema, strict } = Schemas.of(tool.parametersSchema.ast)
  const { description } = tool
  return {
    type: "function",
    name: tool.name,
    ...(description !== undefined && { description }),
    parameters: (strictly ? strict : undefined) ?? schema,
    // The API's own default is true.
    strict: strictly && strict !== undefined
  }
}

export const fields = (
  { responseFormat, toolChoice, tools }: Pick<LanguageModel.ProviderOptions, "responseFormat" | "tools" | "toolChoice">,
  strictly: boolean
): Field => ({
  ...(tools.length > 0 && {
    tools: tools.map((tool) => toolOf(tool, strictly)),
    tool_choice: choice(toolChoice as never, (name) => ({ type: "function", name }))
  }),
  ...(responseFormat.type === "json" && { text: { format: format(responseFormat, strictly) } })
})

type Json = Extract<LanguageModel.ProviderOptions["responseFormat"], { readonly type: "json" }>

const format = ({ objectName, schema: of }: Json, strictly: boolean): Field => {
  const { schema, strict } = Schemas.of(of.ast)
  const description = Tool.getDescriptionFromSchemaAst(of.ast)
  return {
    type: "json_schema",
    name: Schemas.nameOf(objectName),
    ...(description !== undefined && { description }),
    schema: (strictly ? strict : undefined) ?? schema,
    strict: strictly && strict !== undefined
  }
}
