/** The JSON schemas of tools and of objects, made once for each. */
import * as AiError from "@effect/ai/AiError"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import * as Tool from "@effect/ai/Tool"
import * as Effect from "effect/Effect"
import type * as AST from "effect/SchemaAST"
import type { Origin } from "./errors.ts"
import { strict } from "./strict.ts"

export interface Shape {
  readonly schema: object
  /** The same in strict mode, if it can be said there. */
  readonly strict: object | undefined
}

const known = new WeakMap<AST.AST, Shape>()

/** Throws if the AST has something that JSON can't say. */
export const of = (ast: AST.AST): Shape => {
  let shape = known.get(ast)
  if (shape === undefined) {
    const schema = Tool.getJsonSchemaFromSchemaAst(ast)
    known.set(ast, (shape = { schema, strict: strict(schema) }))
  }
  return shape
}

const nothing = Effect.succeed({})

/** `say` tells the provider of tools and objects, if there are any. */
export const shape = (
  origin: Origin,
  { responseFormat, tools }: Pick<LanguageModel.ProviderOptions, "responseFormat" | "tools">,
  say: () => object
): Effect.Effect<object, AiError.MalformedInput> =>
  tools.length === 0 && responseFormat.type === "text"
    ? nothing
    : Effect.try({
        try: say,
        catch: (cause) =>
          new AiError.MalformedInput({ ...origin, description: "a schema can't be said in JSON Schema", cause })
      })

/** The name of a format may have these characters alone, 64 at most (OpenAI, "Structured outputs"). */
export const nameOf = (name: string): string => name.replace(/[^\w-]/g, "_").slice(0, 64)
