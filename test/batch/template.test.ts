import * as Either from "effect/Either"
import { assert, describe, it } from "vitest"
import { compile } from "../../src/internal/batch/prompt/template.ts"

const render = (template: string, row: Record<string, unknown>) => Either.merge(compile(template)!.render(row))

describe("a template", () => {
  it("puts in values of columns, whatever is in them", () => {
    assert.strictEqual(render("{{a}} and {{ b }}{{a}}", { a: "x{{b}}", b: "$&" }), "x{{b}} and $&x{{b}}")
    assert.strictEqual(render("{{n}} {{o}} {{l}} {{t}}", { n: 1, o: { a: 1 }, l: [1], t: true }), '1 {"a":1} [1] true')
    assert.strictEqual(render("<{{a}}{{b}}>", { a: null, b: undefined }), "<>")
  })

  it("takes names with spaces and other scripts", () => {
    assert.strictEqual(render("{{release date}} {{prix €}}", { "release date": "1979", "prix €": 3 }), "1979 3")
  })

  it("takes paths into objects where no column has the name", () => {
    assert.strictEqual(render("{{author.name}}", { author: { name: "Ada" } }), "Ada")
    assert.strictEqual(render("{{author.name}}", { author: { name: "Ada" }, "author.name": "Bo" }), "Bo")
  })

  it("names the first column that the row lacks", () => {
    const missing = compile("{{a}}{{b}}{{c}}")!.render({ a: 1 })
    assert.deepStrictEqual(missing, Either.left("b"))
    assert.deepStrictEqual(compile("{{toString}}")!.render({}), Either.left("toString"))
    assert.deepStrictEqual(compile("{{a.b}}")!.render({ a: "text" }), Either.left("a.b"))
  })

  it("lists its columns, and is none with empty braces", () => {
    assert.deepStrictEqual(compile("{{b}} {{a}} {{b}}")!.columns, ["b", "a"])
    assert.deepStrictEqual(compile("{a} }}{{")!.columns, [])
    assert.strictEqual(compile("{{ }}"), undefined)
  })
})
