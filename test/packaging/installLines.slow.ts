import { assert, beforeAll, describe, it } from "vitest"
import { byCommand, lines, pack, tryLine } from "./lines.ts"

beforeAll(pack, 600_000)

describe("install lines", () => {
  it("stand in the README and in the docs", () => {
    assert.deepStrictEqual([byCommand.length, lines.length > byCommand.length], [5, true])
  })

  // `npm run test:nightly` tries the lines that bring Vitest.
  const light = byCommand.filter(({ command }) => !command.includes("vitest"))

  it.concurrent.each(light)("$command brings what its snippets need", { timeout: 300_000 }, tryLine)
})
