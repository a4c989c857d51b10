import { assert, describe, it } from "vitest"
import { errorsOf } from "../../src/internal/batch/prompt/jsonSchema.ts"

const person = {
  type: "object",
  properties: {
    name: { type: "string", minLength: 1 },
    age: { type: "integer", minimum: 0 },
    tags: { type: "array", items: { enum: ["a", "b"] }, maxItems: 2, uniqueItems: true },
    child: { anyOf: [{ $ref: "#" }, { type: "null" }] }
  },
  required: ["name"],
  additionalProperties: false
}

const cases: ReadonlyArray<readonly [value: unknown, errors: ReadonlyArray<string>]> = [
  [{ name: "Ada", age: 36, tags: ["a"], child: { name: "Bo", child: null } }, []],
  [{}, ["answer: name is missing"]],
  [[], ["answer: is array, not object"]],
  [null, ["answer: is null, not object"]],
  [{ name: "" }, ["answer.name: fewer than 1 characters"]],
  [{ name: "Ada", age: 1.5 }, ["answer.age: is number, not integer"]],
  [{ name: "Ada", age: -1 }, ["answer.age: -1 is not at least 0"]],
  [{ name: "Ada", tags: ["a", "c"] }, ['answer.tags[1]: is none of "a", "b"']],
  [{ name: "Ada", tags: ["a", "a"] }, ["answer.tags: equal items"]],
  [{ name: "Ada", more: 1 }, ["answer: more is not allowed"]],
  [{ name: "Ada", child: { name: 1 } }, ["answer.child: fits none of 2 alternatives"]]
]

describe("the check by JSON schema", () => {
  for (const [value, errors] of cases) {
    it(`finds ${errors.length === 0 ? "nothing wrong with" : errors.join()} in ${JSON.stringify(value)}`, () => {
      assert.deepStrictEqual(errorsOf(person, value), errors)
    })
  }

  it("knows composition, references, patterns and tuples", () => {
    assert.deepStrictEqual(errorsOf({ oneOf: [{ type: "number" }, { minimum: 3 }] }, 5), [
      "answer: fits 2 of 2 alternatives, not one"
    ])
    assert.deepStrictEqual(errorsOf({ not: { const: { a: 1 } } }, { a: 1 }), ["answer: is what it must not be"])
    assert.deepStrictEqual(errorsOf({ allOf: [{ minimum: 1 }, { maximum: 2 }] }, 3), ["answer: 3 is not at most 2"])
    const ref = { $defs: { "a/b": { type: "string" } }, $ref: "#/$defs/a~1b" }
    assert.deepStrictEqual(errorsOf(ref, 1), ["answer: is number, not string"])
    assert.deepStrictEqual(errorsOf({ pattern: "^\\d+$" }, "x"), ["answer: does not match ^\\d+$"])
    const tuple = { prefixItems: [{ type: "string" }], items: { type: "number" } }
    assert.deepStrictEqual(errorsOf(tuple, ["a", 1, "b"]), ["answer[2]: is string, not number"])
    assert.deepStrictEqual(errorsOf({ multipleOf: 0.1 }, 0.3), [])
    assert.deepStrictEqual(errorsOf({ contains: { const: 1 } }, [2]), [
      "answer: no item of the kind that it must contain"
    ])
  })

  it("ends for a schema that refers to itself, and lists at most eight errors", () => {
    assert.deepStrictEqual(errorsOf({ $ref: "#" }, 1), [])
    const many = { items: { type: "string" } }
    assert.lengthOf(
      errorsOf(
        many,
        Array.from({ length: 100 }, () => 1)
      ),
      8
    )
  })
})
