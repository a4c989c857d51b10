import { assert, describe, it } from "vitest"
import { byCommand, lines, tryLine } from "./lines.ts"

describe("install lines", () => {
  it("stand in the README and in the docs", () => {
    assert.deepStrictEqual([byCommand.length, lines.length > byCommand.length], [5, true])
  })

  // `npm run test:nightly` tries the lines that bring Vitest.
  const light = byCommand.filter(({ command }) => !command.includes("vitest"))

  it.concurrent.each(light)("$command brings what its snippets need", { timeout: 300_000 }, tryLine)
})
