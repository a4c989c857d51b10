/** The JSON schemas of tools and of objects, made once for each. */
import * as Tool from "@effect/ai/Tool"
import type * as AST from "effect/SchemaAST"
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
