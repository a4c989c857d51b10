/**
 * The fault matrix: each row of `rows/` over each protocol that it applies to, and with each provider. With
 * `CLIENTELE_MATRIX=protocols` each row and protocol meet once, by some provider's SDK.
 */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { oncePerProtocol, variants } from "./pairs.ts"
import { hold, titleOf } from "./hold.ts"
import { rows } from "./table.ts"

const runs = process.env["CLIENTELE_MATRIX"] === "protocols" ? oncePerProtocol : variants

describe.concurrent("a fault", () => {
  for (const [index, row] of rows.entries()) {
    for (const variant of runs(row, index)) {
      it.live(titleOf(variant), () => Effect.scoped(hold(variant)), 60_000 + (row.takes ?? 0))
    }
  }
})
