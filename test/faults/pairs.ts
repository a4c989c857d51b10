/**
 * Pairwise: each row meets every protocol that it applies to, and every provider, at least once, and two providers without their
 * SDKs, one of them without Effect.
 */
import { providers, type Doors } from "../direct/doors.ts"
import { directSubjects } from "../support/directSubjects.ts"
import { subjects } from "../support/providers.ts"
import type { Kind } from "./ask.ts"
import type { Row } from "./row.ts"
import type { Variant } from "./runner.ts"
import type { Protocol } from "./server/arrival.ts"

export const protocols: ReadonlyArray<Protocol> = ["HTTP/1.1", "HTTP/1.1 over TLS", "HTTP/2"]

const withoutSdk = (row: Row, kind: Kind, protocol: Protocol, { direct, subject }: Doors): Variant => ({
  row,
  kind,
  protocol,
  subject,
  direct
})

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
      direct: "without Effect" as const
    },
    // Its abort is the interruption of its fiber, which has no outcome.
    ...(row.aborted === true
      ? []
      : [withoutSdk(row, kind, over[(index + 1) % over.length]!, providers[(index + 2) % providers.length]!)])
  ])
}

/** Variants that suffice for each kind of request to meet the row over each protocol. */
export const oncePerProtocol = (row: Row, index: number): ReadonlyArray<Variant> => {
  const met = new Set<string>()
  return variants(row, index).filter(({ direct, kind, protocol }) => {
    const pair = `${kind} over ${protocol}`
    if (direct !== undefined || met.has(pair)) return false
    met.add(pair)
    return true
  })
}
