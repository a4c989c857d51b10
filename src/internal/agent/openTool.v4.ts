/** A tool that accepts any parameters, under the same JSON schema. */
import * as Tool from "effect/ai/Tool"
import * as Schema from "effect/Schema"
import { toolShapeOf } from "../ai/schemas.ts"

/** The prototype of a provider's tool distinguishes it from one of the user's. */
export const make = (tool: Tool.Any): Tool.Any => {
  if (Tool.isProviderDefined(tool)) {
    return Object.create(tool, { parametersSchema: { value: Schema.Unknown, enumerable: true } }) as Tool.Any
  }
  const description = Tool.getDescription(tool)
  return Tool.dynamic(tool.name, {
    ...(description !== undefined && { description }),
    parameters: toolShapeOf(tool).schema as never
  }).annotateMerge(tool.annotations)
}
