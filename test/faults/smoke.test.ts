/** One row of the fault matrix over each protocol; `matrix.slow.ts` has all. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { hold, titleOf } from "./hold.ts"
import { protocols, variants } from "./pairs.ts"
import { rows } from "./table.ts"

const index = rows.findIndex(
  ({ kinds, over, takes }) => over === undefined && kinds === undefined && takes === undefined
)

describe.concurrent("a fault", () => {
  for (const protocol of protocols) {
    const variant = variants(rows[index]!, index).find((one) => one.protocol === protocol)!
    it.live(titleOf(variant), () => Effect.scoped(hold(variant)))
  }
})
