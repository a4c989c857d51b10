/** Tools and formats as `chat.completions` has them. */
import type * as LanguageModel from "@effect/ai/LanguageModel"
import * as Tool from "@effect/ai/Tool"
import { choice } from "../parts.ts"
import * as Schemas from "../schemas.ts"

type Field = Readonly<Record<string, unknown>>

/** Those that the provider is to run itself are sent as they are: what the provider does not know it refuses. */
const toolOf = (tool: Tool.Any, strictly: boolean): Field => {
  if (Tool.isProviderDefined(tool)) return { type: tool.providerName, ...(tool.args as object) }
  const { schema, strict } = Schemas.of(tool.parametersSchema.ast)
  const { description } = tool
  return {
    type: "function",
    function: {
      name: tool.name,
      ...(description !== undefined && { description }),
      parameters: (strictly ? strict : undefined) ?? schema,
      ...(strictly && strict !== undefined && { strict: true })
    }
  }
}

export const fields = (
  { responseFormat, toolChoice, tools }: Pick<LanguageModel.ProviderOptions, "responseFormat" | "tools" | "toolChoice">,
  strictly: boolean
): Field => ({
  ...(tools.length > 0 && {
    tools: tools.map((tool) => toolOf(tool, strictly)),
    tool_choice: choice(toolChoice as never, (name) => ({ type: "function", function: { name } }))
  }),
  ...(responseFormat.type === "json" && { response_format: format(responseFormat, strictly) })
})

type Json = Extract<LanguageModel.ProviderOptions["responseFormat"], { readonly type: "json" }>

const format = ({ objectName, schema: of }: Json, strictly: boolean): Field => {
  const { schema, strict } = Schemas.of(of.ast)
  const description = Tool.getDescriptionFromSchemaAst(of.ast)
  return {
    type: "json_schema",
    json_schema: {
      name: Schemas.nameOf(objectName),
      ...(description !== undefined && { description }),
      schema: (strictly ? strict : undefined) ?? schema,
      strict: strictly && strict !== undefined
    }
  }
}
