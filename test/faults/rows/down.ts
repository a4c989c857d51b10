/** Providers that are down, for longer than it takes to notice. One failure is enough to notice here. */
import { fails, resent } from "../expected.ts"
import type { Row } from "../row.ts"
import { type Arrival, json } from "../server/arrival.ts"

const unavailable = (held: Arrival): void => {
  held.head(503, { ...json, "content-length": "2" })
  held.data("{}")
  held.end()
}

const cooldown = 400

const transport = { circuitFailures: 1, circuitCooldown: cooldown }

const hasty = { maxRetries: 0, transport }

const failFast = fails("Connection", { processed: "no", attempts: 0 })

/** Until one may go to see, and a little longer. */
const heal = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, cooldown + 50))

/** The one in flight, and the probe. */
const check: Row["check"] = ({ provider }) => {
  const { length } = provider.arrivals
  return length === 2 ? undefined : `${length} requests were sent`
}

export const rows: ReadonlyArray<Row> = [
  {
    name: "a provider that is down, by 503",
    kinds: ["chat", "stored"],
    options: hasty,
    queued: 3,
    strike: unavailable,
    heal,
    expect: { inFlight: fails("Server", { status: 503, attempts: 1 }), queued: failFast },
    check
  },
  {
    name: "a provider that is down, by silence",
    options: { ...hasty, timeout: 1_200 },
    queued: 3,
    strike: () => undefined,
    heal,
    expect: { inFlight: fails("Timeout", { processed: "maybe", attempts: 1 }), queued: failFast },
    check
  },
  {
    name: "a provider that is down, by RST",
    options: hasty,
    queued: 3,
    strike: ({ line }) => line.rst(),
    heal,
    expect: { inFlight: fails("Connection", { processed: "maybe", attempts: 1 }), queued: failFast },
    check
  },
  {
    name: "a provider that is down, for those who may wait until it is back",
    kinds: ["chat", "stream"],
    options: { maxRetries: 1, transport },
    queued: 3,
    strike: unavailable,
    expect: { inFlight: resent }
  }
]
