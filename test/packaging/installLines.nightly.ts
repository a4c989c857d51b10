import { beforeAll, describe, it } from "vitest"
import { byCommand, pack, tryLine } from "./lines.ts"

beforeAll(pack, 600_000)

describe("install lines", () => {
  const heavy = byCommand.filter(({ command }) => command.includes("vitest"))

  it.each(heavy)("$command brings what its snippets need", { timeout: 300_000 }, tryLine)
})
