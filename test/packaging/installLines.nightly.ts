import { describe, it } from "vitest"
import { byCommand, tryLine } from "./lines.ts"

describe("install lines", () => {
  const heavy = byCommand.filter(({ command }) => command.includes("vitest"))

  it.each(heavy)("$command brings what its snippets need", { timeout: 300_000 }, tryLine)
})
