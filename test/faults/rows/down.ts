/** Providers that are down for a moment. What becomes of those who wait for longer is in circuits.test.ts. */
import { resent } from "../expected.ts"
import type { Row } from "../row.ts"
import { type Arrival, json } from "../server/arrival.ts"

const unavailable = (held: Arrival): void => {
  held.head(503, { ...json, "content-length": "2" })
  held.data("{}")
  held.end()
}

const transport = { circuitFailures: 1, circuitCooldown: 400 }

export const rows: ReadonlyArray<Row> = [
  {
    name: "a provider that is down, for requests that may wait until it is back",
    kinds: ["chat", "stream"],
    options: { maxRetries: 1, transport },
    queued: 3,
    strike: unavailable,
    expect: { inFlight: resent }
  }
]
