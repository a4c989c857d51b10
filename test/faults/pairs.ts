/**
 * Pairwise: each row meets every protocol that it applies to, and every provider, at least once, and one provider without its
 * SDK.
 */
import { directSubjects } from "../support/directSubjects.ts"
import { subjects } from "../support/providers.ts"
import type { Row } from "./row.ts"
import type { Variant } from "./runner.ts"
import type { Protocol } from "./server/arrival.ts"

export const protocols: ReadonlyArray<Protocol> = ["HTTP/1.1", "HTTP/1.1 over TLS", "HTTP/2"]

/** `index`: the row's, so that over all rows each protocol meets each provider too. */
export const variants = (row: Row, index: number): ReadonlyArray<Variant> => {
  const over = row.over ?? protocols
  return (row.kinds ?? ["chat"]).flatMap((kind) => [
    ...Array.from({ length: Math.max(over.length, subjects.length) }, (_, i) => ({
      row,
      kind,
      protocol: over[i % over.length]!,
      subject: subjects[(i + index) % subjects.length]!
    })),
    {
      row,
      kind,
      protocol: over[index % over.length]!,
      subject: directSubjects[index % directSubjects.length]!,
      isDirect: true
    }
  ])
}
