/** The JSON schemas of tools and of objects, made once for each. */
import type * as AiError from "@effect/ai/AiError"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Tool from "@effect/ai/Tool"
import * as Either from "effect/Either"
import type * as AST from "effect/SchemaAST"
import * as Errors from "./errors.ts"
import * as JsonSchemas from "./jsonSchemas.ts"
import { absent, strict } from "./strict.ts"

export interface Shape {
  readonly schema: object
  /** The same in strict mode, if it can be expressed there. */
  readonly strict: object | undefined
}

const known = new WeakMap<AST.AST, Shape>()

/** Throws if JSON can't represent the AST. */
export const jsonSchemaOf = (ast: AST.AST): Shape => {
  let shape = known.get(ast)
  if (shape === undefined) {
    const schema = JsonSchemas.schemaOf(ast)
    known.set(ast, (shape = { schema, strict: strict(schema) }))
  }
  return shape
}

/** An object's shape as providers take it: whose root is no object, such as a union, is the `value` of one. */
export interface Format extends Shape {
  readonly isWrapped: boolean
}

const formats = new WeakMap<AST.AST, Format>()

const wrap = (schema: object): object => {
  const { $defs, ...value } = schema as { readonly $defs?: unknown }
  return {
    type: "object",
    properties: { value },
    required: ["value"],
    additionalProperties: false,
    // References are from the root.
    ...($defs !== undefined && { $defs })
  }
}

/** Throws as `jsonSchemaOf` does. */
export const format = (ast: AST.AST): Format => {
  let format = formats.get(ast)
  if (format === undefined) {
    const shape = jsonSchemaOf(ast)
    const isWrapped = !("type" in shape.schema && shape.schema.type === "object")
    const schema = isWrapped ? wrap(shape.schema) : shape.schema
    formats.set(ast, (format = isWrapped ? { schema, strict: strict(schema), isWrapped } : { ...shape, isWrapped }))
  }
  return format
}

const nothing = Either.right({})

/** `say` describes the tools and objects to the provider, if there are any. */
export const shape = (
  origin: Errors.Origin,
  { responseFormat, tools }: Pick<LanguageModel.ProviderOptions, "responseFormat" | "tools">,
  say: () => object
): Either.Either<object, AiError.AiError> =>
  tools.length === 0 && responseFormat.type === "text"
    ? nothing
    : Either.try({
        try: say,
        catch: (cause) => Errors.unsupportedSchema(origin, cause)
      })

/** Shape of a tool's parameters. Throws as `jsonSchemaOf` does. */
export const toolShapeOf = (tool: Tool.Any): Shape => {
  const schema = JsonSchemas.givenOf(tool)
  return schema === undefined ? jsonSchemaOf(tool.parametersSchema.ast) : { schema, strict: strict(schema) }
}

/** Parameters of a tool as its schema takes them, of JSON that a model gave. */
export const paramsOf = (tool: Tool.Any, json: unknown): unknown =>
  JsonSchemas.encodedOf(tool, absent(toolShapeOf(tool).schema, json))

/** A tool that the user handles, as both ways to speak have it. */
export const functionOf = (tool: Tool.Any, strictly: boolean) => {
  const { schema, strict } = toolShapeOf(tool)
  const { description, name } = tool
  const isStrict = JsonSchemas.isStrict(tool, strictly) && strict !== undefined
  return {
    name,
    ...(description !== undefined && { description }),
    parameters: isStrict ? strict : schema,
    strict: isStrict
  }
}

type Json = Extract<LanguageModel.ProviderOptions["responseFormat"], { readonly type: "json" }>

/** The name of a format may have these characters alone, 64 at most (OpenAI, "Structured outputs"). */
const nameOf = (name: string): string => name.replace(/[^\w-]/g, "_").slice(0, 64)

/** The shape of an object, as both ways to speak have it. */
export const formatOf = ({ objectName, schema: { ast } }: Json, strictly: boolean) => {
  const { schema, strict } = format(ast)
  const description = JsonSchemas.descriptionOf(ast)
  const isStrict = strictly && strict !== undefined
  return {
    name: nameOf(objectName),
    ...(description !== undefined && { description }),
    schema: isStrict ? strict : schema,
    strict: isStrict
  }
}
