/** The roads that `secrets.test.ts` leaves out. */
import { keepsSecrets, roads, sdks } from "./secrets.ts"

for (const [index, subject] of sdks.entries()) {
  if (index > 0) keepsSecrets(subject, roads[(index + 1) % roads.length]!)
}
