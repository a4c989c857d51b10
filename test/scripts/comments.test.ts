import { assert, describe, it } from "vitest"
import { forbiddenIn } from "../../scripts/comments.ts"

describe("openings of comments", () => {
  it("are found in docstrings, line comments and comments behind code", () => {
    const text = [
      "/** What it is. */",
      "export const a = 1 // Whether it counts.",
      "/**",
      " * Whoever waits longest.",
      " */",
      "const f = () => {",
      "  // How long it takes.",
      "}",
      "/** Of a histogram. */",
      "/** Under which it is kept. */",
      "export const b = f"
    ].join("\n")
    assert.deepStrictEqual(
      forbiddenIn("a.ts", text).map((line) => line.replace(/: begin.*: /, " ")),
      [
        'a.ts:1 "What it is. */ ..."',
        'a.ts:2 "Whether it counts. ..."',
        'a.ts:3 "Whoever waits longest. */ ..."',
        'a.ts:7 "How long it takes. ..."',
        'a.ts:9 "Of a histogram. */ ..."',
        'a.ts:10 "Under which it is kept. */ ..."'
      ]
    )
  })

  it("may be nouns and verbs, and stand in strings", () => {
    const text = `/** True if it counts. */\nexport const a = "/** What it is. */" // Whatsoever\n`
    assert.deepStrictEqual(forbiddenIn("a.ts", text), [])
  })
})
