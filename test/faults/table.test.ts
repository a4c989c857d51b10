import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { render } from "../../scripts/faultTable.ts"
import { deaf } from "./breach.ts"
import { elsewhere } from "./rows/elsewhere.ts"

describe("a row that needs a world of its own", () => {
  for (const { file, name, title } of elsewhere) {
    it(`is shown by ${file}: ${name}`, () => {
      assert.include(readFileSync(new URL(`../${file}`, import.meta.url), "utf8"), title)
    })
  }
})

// On an old Node some rows differ.
it.skipIf(deaf)("docs/faults.md says what the rows say", () => {
  const written = readFileSync(new URL("../../docs/faults.md", import.meta.url), "utf8")
  assert.strictEqual(written, render(), "run `node scripts/faultTable.ts`")
})
