import * as JSONSchema from "effect/JSONSchema"
import * as Schema from "effect/Schema"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { fromSchema } from "../../src/internal/sandbox/schema.ts"
import { random } from "../../src/internal/util/seededRandom.ts"

interface Tree {
  readonly name: string
  readonly children: ReadonlyArray<Tree>
  readonly parent: Tree | null
}
const Tree = Schema.Struct({
  name: Schema.NonEmptyTrimmedString,
  children: Schema.Array(Schema.suspend((): Schema.Schema<Tree> => Tree)),
  parent: Schema.NullOr(Schema.suspend((): Schema.Schema<Tree> => Tree))
}).annotations({ identifier: "Tree" })

const holds = <A, I>(name: string, schema: Schema.Schema<A, I>) =>
  it(`is what the schema ${name} decodes, whatever the seed`, () => {
    const json = JSONSchema.make(schema)
    const is = Schema.is(schema)
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const value = fromSchema(json, random(seed))
        assert.isTrue(is(value), JSON.stringify(value))
        assert.deepEqual(fromSchema(json, random(seed)), value)
      })
    )
  })

describe("a value from a JSON schema", () => {
  holds(
    "film",
    Schema.Struct({
      title: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(12)),
      year: Schema.Int.pipe(Schema.between(1900, 2030)),
      rating: Schema.Number.pipe(Schema.greaterThan(0), Schema.lessThan(1)),
      genre: Schema.Literal("drama", "comedy"),
      code: Schema.String.pipe(Schema.pattern(/^[A-Z]{2}-\d{3,5}(?:x|yz)?$/)),
      note: Schema.optional(Schema.String),
      cast: Schema.NonEmptyArray(Schema.Struct({ who: Schema.String, as: Schema.NullOr(Schema.String) }))
    })
  )
  holds("tree", Tree)
  holds(
    "union",
    Schema.Union(
      Schema.Struct({ _tag: Schema.Literal("A"), n: Schema.NonNegativeInt }),
      Schema.Struct({ _tag: Schema.Literal("B"), list: Schema.Array(Schema.Boolean).pipe(Schema.itemsCount(3)) })
    )
  )
  holds("record", Schema.Record({ key: Schema.String, value: Schema.Number }))
  holds("tuple", Schema.Tuple(Schema.String, Schema.JsonNumber, Schema.Int.pipe(Schema.multipleOf(5))))
  holds("text", Schema.UUID)
})
