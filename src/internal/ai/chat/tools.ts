/** Tools and formats as `chat.completions` has them. */
import type * as LanguageModel from "@effect/ai/LanguageModel"
import * as Tool from "@effect/ai/Tool"
import * as Schemas from "../schemas.ts"

type Field = Readonly<Record<string, unknown>>

const choiceOf = (choice: LanguageModel.ToolChoice<string>): unknown => {
  if (typeof choice === "string") return choice
  if ("tool" in choice) return { type: "function", function: { name: choice.tool } }
  // The tools themselves are cut down to these.
  return choice.mode ?? "auto"
}

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
  { toolChoice, tools }: Pick<LanguageModel.ProviderOptions, "tools" | "toolChoice">,
  strictly: boolean
): Field =>
  tools.length === 0
    ? {}
    : { tools: tools.map((tool) => toolOf(tool, strictly)), tool_choice: choiceOf(toolChoice as never) }

/** The name of a format may have these characters alone, 64 at most (OpenAI, "Structured outputs"). */
const nameOf = (name: string): string => name.replace(/[^\w-]/g, "_").slice(0, 64)

export const format = (format: LanguageModel.ProviderOptions["responseFormat"], strictly: boolean): Field => {
  if (format.type === "text") return {}
  const { schema, strict } = Schemas.of(format.schema.ast)
  const description = Tool.getDescriptionFromSchemaAst(format.schema.ast)
  return {
    response_format: {
      type: "json_schema",
      json_schema: {
        name: nameOf(format.objectName),
        ...(description !== undefined && { description }),
        schema: (strictly ? strict : undefined) ?? schema,
        strict: strictly && strict !== undefined
      }
    }
  }
}
