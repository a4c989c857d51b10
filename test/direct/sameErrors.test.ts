/** The errors of one provider's doors; `sameErrors.slow.ts` has the other providers. */
import { providers } from "./doors.ts"
import { sameErrors } from "./sameErrors.ts"

sameErrors(providers[0]!)
