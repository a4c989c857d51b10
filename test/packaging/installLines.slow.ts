import { assert, describe, it } from "vitest"
import { byCommand, lines, tryLine } from "./lines.ts"

describe("install lines", () => {
  it("stand in the README and in the docs", () => {
    assert.deepStrictEqual([byCommand.length, lines.length > byCommand.length], [4, true])
  })

  // Those that bring Vitest are tried by `npm run test:nightly`.
  const light = byCommand.filter(({ command }) => !command.includes("vitest"))

  it.concurrent.each(light)("$command brings what its snippets need", { timeout: 300_000 }, tryLine)
})
