/** JSON schemas as Effect makes them, of the JSON codec of a schema. */
import * as Tool from "effect/ai/Tool"
import type * as LanguageModel from "effect/ai/LanguageModel"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import { property } from "../util/json.ts"

/** References from the root are to what they name. */
const REFERENCE = /^#\/\$defs\/(.+)$/

/** Texts of numbers that JSON lacks, which are no use in an answer. */
const NOT_FINITE = JSON.stringify({ type: "string", enum: ["Infinity", "-Infinity", "NaN"] })

const finite = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(finite)
  if (typeof node !== "object" || node === null) return node
  const { anyOf, ...rest } = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, finite(value)]))
  if (!Array.isArray(anyOf)) return anyOf === undefined ? rest : { ...rest, anyOf }
  const branches: ReadonlyArray<object> = anyOf.filter((one) => JSON.stringify(one) !== NOT_FINITE)
  return branches.length === 1 ? { ...rest, ...branches[0] } : { ...rest, anyOf: branches }
}

/** Throws if JSON can't represent the AST. */
export const schemaOf = (ast: AST.AST): object => {
  const { definitions, schema: root } = Schema.toJsonSchemaDocument(Schema.make(ast), { onExcessProperty: "error" })
  const [, name] = REFERENCE.exec(String(root.$ref)) ?? []
  const schema = name === undefined ? root : { ...definitions[name] }
  return finite(Object.keys(definitions).length === 0 ? schema : { ...schema, $defs: definitions }) as object
}

export const descriptionOf = (ast: AST.AST): string | undefined => AST.resolveDescription(ast)

/** The JSON schema that a tool was made with instead of a schema. */
export const givenOf = (tool: Tool.Any): object | undefined => (Tool.isDynamic(tool) ? tool.jsonSchema : undefined)

/** True if the provider is to hold the tool to its schema. */
export const isStrict = (tool: Tool.Any, strictly: boolean): boolean => Tool.getStrictMode(tool) ?? strictly

/** Objects are decoded by the codec that their JSON schema describes. */
export const codecTransformer: LanguageModel.CodecTransformer = (schema) => ({
  codec: Schema.toCodecJson(schema),
  jsonSchema: schemaOf(schema.ast) as never
})

const decoders = new WeakMap<AST.AST, (json: unknown) => Result.Result<unknown, unknown>>()

const decoderOf = ({ parametersSchema }: Tool.Any): ((json: unknown) => Result.Result<unknown, unknown>) => {
  let decoder = decoders.get(parametersSchema.ast)
  if (decoder === undefined) {
    decoder = Schema.decodeUnknownResult(Schema.toCodecJson(Schema.toEncoded(parametersSchema)) as never)
    decoders.set(parametersSchema.ast, decoder)
  }
  return decoder
}

/** The encoded side of a tool's parameters; as they are where they do not fit, which the tool's own schema reports. */
export const encodedOf = (tool: Tool.Any, json: unknown): unknown => {
  if (property(tool, "jsonSchema") !== undefined) return json
  return Result.getOrElse(decoderOf(tool)(json), () => json)
}
