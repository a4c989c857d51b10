/**
 * The fault matrix: each row of `rows/` over each protocol that it applies to, and with each provider. It closes with how
 * many rows held, and how many requests the servers saw again that must not be repeated.
 */
import { readFileSync } from "node:fs"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { afterAll, assert } from "vitest"
import { render } from "../../scripts/faultTable.ts"
import { deaf } from "./breach.ts"
import { protocols, variants } from "./pairs.ts"
import { elsewhere } from "./rows/elsewhere.ts"
import { run } from "./runner.ts"
import type { Protocol } from "./server/arrival.ts"
import { groups } from "./table.ts"

const rows = groups.flatMap(([, rows]) => rows)

/** By protocol and row: how many runs there were, and how many of them held. */
const tallies = new Map<Protocol, Map<string, { runs: number; held: number }>>(
  protocols.map((protocol) => [protocol, new Map()])
)
const duplicates: Array<string> = []

const tallyOf = (protocol: Protocol, row: string) => {
  const byRow = tallies.get(protocol)!
  const tally = byRow.get(row) ?? { runs: 0, held: 0 }
  byRow.set(row, tally)
  return tally
}

describe.concurrent("a fault", () => {
  for (const [index, row] of rows.entries()) {
    for (const variant of variants(row, index)) {
      const { isDirect, kind, protocol, subject } = variant
      const title = `${row.name}: ${kind} of ${subject.name}${isDirect === true ? ", direct," : ""} over ${protocol}`
      const whole = Effect.gen(function* () {
        const tally = tallyOf(protocol, row.name)
        tally.runs++
        const verdict = yield* run(variant)
        for (const id of verdict.duplicates) duplicates.push(`${title}: ${id}`)
        assert.strictEqual(verdict.wrong.join("; "), "")
        assert.strictEqual(verdict.duplicates.join(", "), "", "repeated although they must not be")
        tally.held++
      }).pipe(Effect.scoped)
      it.live(title, () => whole, 60_000 + (row.takes ?? 0))
    }
  }
})

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

afterAll(() => {
  const run = new Set<string>()
  const broken = new Set<string>()
  const lines = [...tallies].map(([protocol, byRow]) => {
    const here = [...byRow].filter(([, { held, runs }]) => held < runs).map(([name]) => name)
    for (const name of byRow.keys()) run.add(name)
    for (const name of here) broken.add(name)
    return `${protocol} ${byRow.size - here.length} of ${byRow.size}`
  })
  console.log(
    `fault matrix: ${run.size - broken.size} of ${run.size} rows held (${lines.join(", ")}), ` +
      `${elsewhere.length} have tests of their own; repeated although they must not be: ${duplicates.length}`
  )
})
