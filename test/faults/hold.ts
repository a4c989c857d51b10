/** A run of a row as a test: its title, and its assertions. */
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { run, type Variant } from "./runner.ts"

export const titleOf = ({ direct, kind, protocol, row, subject }: Variant): string =>
  `${row.name}: ${kind} of ${subject.name}${direct === undefined ? "" : typeof direct === "string" ? `, direct ${direct},` : ", direct,"} over ${protocol}`

/** Fails unless each request fares as the row says, and none was sent again that must not be. */
export const hold = (variant: Variant) =>
  Effect.map(run(variant), ({ duplicates, wrong }) => {
    assert.strictEqual(wrong.join("; "), "")
    assert.strictEqual(duplicates.join(", "), "", "repeated although they must not be")
  })
