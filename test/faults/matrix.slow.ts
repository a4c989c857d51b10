/** The fault matrix: each row of `rows/` over each protocol that it applies to, and with each provider. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { variants } from "./pairs.ts"
import { hold, titleOf } from "./hold.ts"
import { rows } from "./table.ts"

describe.concurrent("a fault", () => {
  for (const [index, row] of rows.entries()) {
    for (const variant of variants(row, index)) {
      it.live(titleOf(variant), () => Effect.scoped(hold(variant)), 60_000 + (row.takes ?? 0))
    }
  }
})
