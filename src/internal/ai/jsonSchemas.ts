/** JSON schemas as @effect/ai makes them, of the encoded side of a schema. */
import * as Tool from "@effect/ai/Tool"
import type * as AST from "effect/SchemaAST"

/** Throws if JSON can't represent the AST. */
export const schemaOf = (ast: AST.AST): object => Tool.getJsonSchemaFromSchemaAst(ast)

export const descriptionOf = (ast: AST.AST): string | undefined => Tool.getDescriptionFromSchemaAst(ast)

/** The JSON schema that a tool was made with instead of a schema. */
export const givenOf = (_tool: Tool.Any): object | undefined => undefined

/** True if the provider is to hold the tool to its schema. */
export const isStrict = (_tool: Tool.Any, strictly: boolean): boolean => strictly

/** The encoded side of a tool's parameters is JSON. */
export const encodedOf = (_tool: Tool.Any, json: unknown): unknown => json
