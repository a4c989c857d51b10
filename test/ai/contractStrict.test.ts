/** The strict mode of structured output: what it takes, and that nothing is lost on the way there and back. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import fc from "fast-check"
import { object } from "../../src/internal/ai/object.ts"
import * as Schemas from "../../src/internal/ai/schemas.ts"
import { absent, strict } from "../../src/internal/ai/strict.ts"
import { valueOf } from "./lines.ts"
import { draws } from "../support/draws.ts"

type Any = Schema.Schema<unknown, unknown>

/** A schema, what is encoded by it, and the same as a model says it that must say everything. */
interface Case {
  readonly schema: Any
  readonly plain: unknown
  readonly full: unknown
}

const leaf = (schema: Schema.Schema.Any, value: unknown): Case => ({ schema: schema as Any, plain: value, full: value })

const leaves = fc.oneof(
  fc.string().map((text) => leaf(Schema.String, text)),
  fc.integer().map((n) => leaf(Schema.Number, n)),
  fc.integer().map((n) => leaf(Schema.NumberFromString, String(n))),
  fc.boolean().map((is) => leaf(Schema.Boolean, is)),
  fc.constantFrom("a", "b").map((one) => leaf(Schema.Literal("a", "b"), one)),
  fc.string({ minLength: 1 }).map((text) => leaf(Schema.NonEmptyString, text))
)

const structOf = (
  fields: ReadonlyArray<{ readonly name: string; readonly of: Case; readonly is: "required" | "said" | "left out" }>
): Case => {
  const plain: Record<string, unknown> = {}
  const full: Record<string, unknown> = {}
  const all: Record<string, Schema.Struct.Field> = {}
  for (const { is, name, of } of fields) {
    all[name] = is === "required" ? of.schema : Schema.optional(of.schema)
    full[name] = is === "left out" ? null : of.full
    if (is !== "left out") plain[name] = of.plain
  }
  return { schema: Schema.Struct(all) as unknown as Any, plain, full }
}

const { any, struct } = fc.letrec<{ any: Case; struct: Case }>((tie) => ({
  struct: fc
    .uniqueArray(
      fc.record({
        name: fc.constantFrom("a", "b", "c", "_tag", "type", "properties", "$ref", "ü", "anyOf"),
        of: tie("any"),
        is: fc.constantFrom("required" as const, "said" as const, "left out" as const)
      }),
      { minLength: 1, maxLength: 4, selector: ({ name }) => name }
    )
    .map(structOf),
  any: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaves,
    tie("struct"),
    fc.record({ of: tie("any"), times: fc.nat(2) }).map(({ of, times }): Case => ({
      schema: Schema.Array(of.schema) as unknown as Any,
      plain: Array.from({ length: times }, () => of.plain),
      full: Array.from({ length: times }, () => of.full)
    })),
    fc.record({ one: tie("any"), other: tie("any"), isFirst: fc.boolean() }).map(({ isFirst, one, other }): Case => ({
      ...one,
      schema: (isFirst ? Schema.Union(one.schema, other.schema) : Schema.Union(other.schema, one.schema)) as Any
    }))
  )
}))

/** `null` may be a value where a field must be there. */
const nullable = fc.tuple(struct, any, fc.boolean()).map(([one, other, isNull]): Case => ({
  schema: Schema.Struct({ one: one.schema, other: Schema.NullOr(other.schema) }) as unknown as Any,
  plain: { one: one.plain, other: isNull ? null : other.plain },
  full: { one: one.full, other: isNull ? null : other.full }
}))

/** Keywords that OpenAI lists for this mode ("Structured model outputs", "Supported schemas"), and those that only describe. */
const known = new Set(
  "type enum const anyOf items properties required additionalProperties $ref $defs title description format pattern multipleOf maximum exclusiveMaximum minimum exclusiveMinimum minItems maxItems".split(
    " "
  )
)
const formats = new Set("date-time time date duration email hostname ipv4 ipv6 uuid".split(" "))

type Node = Readonly<Record<string, unknown>>

/** Fails where the mode would refuse. */
const accept = (node: Node, root: Node): void => {
  for (const key of Object.keys(node)) assert.isTrue(known.has(key), `'${key}' in ${JSON.stringify(node)}`)
  if (node["format"] !== undefined) assert.isTrue(formats.has(node["format"] as string), JSON.stringify(node))
  if (node["type"] === "object") {
    assert.isFalse(node["additionalProperties"], JSON.stringify(node))
    const properties = node["properties"] as Readonly<Record<string, Node>>
    assert.sameMembers(Object.keys(properties), node["required"] as Array<string>)
    for (const one of Object.values(properties)) accept(one, root)
  }
  if (node["type"] === "array") accept(node["items"] as Node, root)
  for (const one of (node["anyOf"] ?? []) as ReadonlyArray<Node>) accept(one, root)
  for (const one of Object.values((node["$defs"] ?? {}) as Readonly<Record<string, Node>>)) accept(one, root)
  const ref = node["$ref"]
  if (typeof ref === "string") assert.property(root["$defs"], ref.slice("#/$defs/".length))
}

const accepted = (schema: object | undefined): void => {
  assert.isDefined(schema)
  assert.deepInclude(schema, { type: "object" })
  accept(schema as Node, schema as Node)
}

class Tree extends Schema.Class<Tree>("Tree")({
  name: Schema.String,
  left: Schema.optional(Schema.suspend((): Schema.Schema<Tree, TreeEncoded> => Tree)),
  right: Schema.optional(Schema.suspend((): Schema.Schema<Tree, TreeEncoded> => Tree))
}) {}
interface TreeEncoded {
  readonly name: string
  readonly left?: TreeEncoded | undefined
  readonly right?: TreeEncoded | undefined
}

describe("strict mode", () => {
  it("accepts every schema of structs, lists and unions", () => {
    fc.assert(
      fc.property(fc.oneof(struct, nullable), ({ schema }) => accepted(Schemas.jsonSchemaOf(schema.ast).strict))
    )
  })

  it("returns the encoded value, without the nulls that strict mode adds", () => {
    fc.assert(
      fc.property(fc.oneof(struct, nullable), ({ full, plain, schema }) => {
        const got = absent(Schemas.jsonSchemaOf(schema.ast).schema, full)
        assert.deepStrictEqual(valueOf(schema, got), valueOf(schema, plain))
      }),
      { numRuns: draws(500) }
    )
  })

  it("accepts recursive schemas, and leaves their gaps out", () => {
    const { schema, strict } = Schemas.jsonSchemaOf(Tree.ast)
    accepted(strict)
    const said = { name: "a", left: { name: "b", left: null, right: null }, right: null }
    assert.deepStrictEqual(valueOf(Tree as unknown as Any, absent(schema, said)), { name: "a", left: { name: "b" } })
  })

  it("is off for schemas that it can't express: records, any object, anything, tuples", () => {
    for (const one of [
      Schema.Record({ key: Schema.String, value: Schema.Number }),
      Schema.Object,
      Schema.Unknown,
      Schema.Tuple(Schema.String, Schema.Number),
      Schema.Struct({})
    ]) {
      assert.isUndefined(Schemas.jsonSchemaOf(Schema.Struct({ one: one as Any }).ast).strict, String(one))
    }
    assert.isUndefined(strict({ type: "object", properties: { all: { type: "array" } }, required: [] }))
    assert.isUndefined(strict({ type: "array", items: { type: "string" } }))
  })

  it("wraps a root that is not an object, and unwraps its value", () => {
    const Search = Schema.TaggedStruct("Search", { query: Schema.String, most: Schema.optional(Schema.Number) })
    const Step = Schema.Union(Search, Schema.TaggedStruct("Grow", { tree: Tree }))
    const { isWrapped, schema, strict } = Schemas.format(Step.ast)
    assert.isTrue(isWrapped)
    assert.deepInclude(schema, { type: "object", required: ["value"] })
    accepted(strict)
    const format = { type: "json" as const, objectName: "step", schema: Step as Any }
    const taken = (said: unknown): unknown => valueOf(format.schema, JSON.parse(object(format, JSON.stringify(said))))
    const said = { _tag: "Search", query: "a", most: null }
    assert.deepStrictEqual(taken({ value: said }), { _tag: "Search", query: "a" })
    assert.deepStrictEqual(taken({ _tag: "Search", query: "a", most: 2 }), { _tag: "Search", query: "a", most: 2 })
    const tree = { name: "a", left: null, right: { name: "b", left: null, right: null } }
    const grown = { name: "a", right: { name: "b" } }
    assert.deepStrictEqual(taken({ value: { _tag: "Grow", tree } }), { _tag: "Grow", tree: grown })
    const Valued = Schema.Struct({ value: Schema.String })
    assert.isFalse(Schemas.format(Valued.ast).isWrapped)
    const plain = { ...format, schema: Valued as unknown as Any }
    assert.strictEqual(object(plain, '{"value":"a"}'), '{"value":"a"}')
  })

  it("omits unsupported formats", () => {
    const uri = { type: "string", format: "uri" }
    const at = { type: "string", format: "date-time" }
    const made = strict({ type: "object", properties: { uri, at }, required: ["uri", "at"] })
    assert.deepInclude(made, { properties: { uri: { type: "string" }, at } })
  })
})
