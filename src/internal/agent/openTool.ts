/** A tool that accepts any parameters, under the same JSON schema. */
import type * as Tool from "@effect/ai/Tool"
import * as Schema from "effect/Schema"
import { toolShapeOf } from "../ai/schemas.ts"

/** Its prototype distinguishes a tool of the user's from one of a provider's. */
export const make = (tool: Tool.Any): Tool.Any => {
  const parametersSchema = Schema.Unknown.annotations({ jsonSchema: toolShapeOf(tool).schema })
  return Object.create(tool, { parametersSchema: { value: parametersSchema, enumerable: true } }) as Tool.Any
}
