/** The errors of the doors of those providers that `sameErrors.test.ts` leaves out. */
import { providers } from "./doors.ts"
import { sameErrors } from "./sameErrors.ts"

for (const doors of providers.slice(1)) sameErrors(doors)
