/** The errors of every provider's doors. */
import { providers } from "./doors.ts"
import { sameErrors } from "./sameErrors.ts"

for (const doors of providers) sameErrors(doors)
