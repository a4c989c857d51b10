/** Violations of HTTP/2 that concern the whole connection, beyond one stream. */
import { fails } from "./expected.ts"
import { protocols } from "./pairs.ts"
import type { Row } from "./row.ts"

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)

/**
 * Node before 22.23 and 24.17 reads no more then, and says nothing, not even when the socket is reset. A breach within a
 * stream it takes for a reset.
 */
export const deaf = (major === 22 && minor < 23) || (major === 24 && minor < 17)

/** The row, save that over HTTP/2 a deaf Node leaves those in flight to their own timeout. */
export const breach = (row: Row): ReadonlyArray<Row> => {
  const over = row.over ?? protocols
  if (!deaf || !over.includes("HTTP/2")) return [row]
  const others = over.filter((protocol) => protocol !== "HTTP/2")
  const late: Row = {
    ...row,
    over: ["HTTP/2"],
    options: { ...row.options, timeout: 1_000, maxRetries: 0 },
    expect: { ...row.expect, inFlight: fails("Timeout", { processed: "maybe", attempts: 1 }) }
  }
  return others.length === 0 ? [late] : [{ ...row, over: others }, late]
}
