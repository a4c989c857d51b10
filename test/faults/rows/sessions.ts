/** HTTP/2 sessions that are no longer what they were, and connections that outlive their use. */
import { resolveName } from "../../support/names.ts"
import { until } from "../../support/wait.ts"
import { fails, processed, resent } from "../expected.ts"
import { type Row, type World, wasInFlight } from "../row.ts"
import type { Arrival, Protocol } from "../server/arrival.ts"

const h1: ReadonlyArray<Protocol> = ["HTTP/1.1", "HTTP/1.1 over TLS"]
const h2: ReadonlyArray<Protocol> = ["HTTP/2"]

const turnAway = (held: Arrival): void => {
  held.refused()
  held.line.goaway(0)
}

const silence = (): void => undefined

const nobody = fails("Connection", { processed: "no", attempts: 6 })

const most = (sent: number) => (world: World) => {
  const [id, count] = ["in-flight-1", world.provider.count("in-flight-1")]
  return count > sent ? `${id} was sent ${count} times` : undefined
}

export const rows: ReadonlyArray<Row> = [
  {
    name: "GOAWAY on an idle session",
    over: h2,
    queued: 0,
    heal: async ({ provider }) => {
      for (const line of provider.lines) line.goaway(2 ** 31 - 1)
      await until(() => provider.open() === 0)
    },
    expect: {},
    check: ({ provider }) => (provider.connections() === 2 ? undefined : "the session was used again")
  },
  {
    name: "GOAWAY on each connection",
    over: h2,
    options: { maxRetries: 0 },
    strike: turnAway,
    again: () => turnAway,
    expect: { inFlight: nobody, queued: nobody, later: nobody },
    check: most(6)
  },
  {
    name: "REFUSED_STREAM each time",
    over: h2,
    options: { maxRetries: 0 },
    strike: (held) => {
      held.refused()
      held.reset(7)
    },
    again: (arrival) =>
      wasInFlight(arrival)
        ? (again) => {
            again.refused()
            again.reset(7)
          }
        : undefined,
    expect: { inFlight: nobody },
    check: most(6)
  },
  {
    name: "MAX_CONCURRENT_STREAMS 0",
    over: h2,
    inFlight: 0,
    server: { streams: 0 },
    options: { maxRetries: 0, transport: { connectTimeout: 1_000 } },
    heal: ({ provider }) => {
      for (const line of provider.lines) line.allow(100)
    },
    expect: { queued: fails("Timeout", { processed: "no", attempts: 1 }) }
  },
  {
    name: "MAX_CONCURRENT_STREAMS 0 for a moment",
    over: h2,
    strike: ({ line }) => line.allow(0),
    befall: ({ provider }) => {
      setTimeout(() => {
        for (const line of provider.lines) line.allow(1)
        for (const arrival of provider.arrivals.slice(0, 1)) arrival.reset(7)
        provider.arrivals[0]?.refused()
      }, 100)
    },
    expect: { inFlight: resent }
  },
  {
    name: "a black hole under a session",
    over: h2,
    kinds: ["chat", "stored"],
    proxied: true,
    // Two pings, 10 s apart, and 10 s for the second to be missed.
    takes: 40_000,
    options: { timeout: 120_000 },
    strike: silence,
    befall: ({ proxy }) => proxy?.freeze(),
    expect: { inFlight: processed("Timeout") }
  },
  {
    name: "a black hole under a connection of HTTP/1.1",
    over: h1,
    kinds: ["chat", "stored"],
    proxied: true,
    // Long enough for the queued one to be answered on a busy machine.
    options: { timeout: 10_000 },
    strike: silence,
    befall: ({ proxy }) => proxy?.freeze(),
    expect: { inFlight: processed("Timeout") }
  },
  {
    name: "an address that changes",
    over: ["HTTP/1.1", "HTTP/2"],
    server: { secure: false },
    reach: ({ provider }) => {
      resolveName(`moving-${provider.port}.test`, ["127.0.0.1"])
      return `http://moving-${provider.port}.test:${provider.port}`
    },
    proxied: "beside",
    options: { transport: { maxConnectionAge: 300 } },
    befall: ({ provider }) => resolveName(`moving-${provider.port}.test`, ["127.0.0.2"]),
    // The old connection is left when it is old, not when it fails.
    heal: ({ provider }) => until(() => provider.open() === 0),
    expect: {},
    check: ({ provider, proxy }) =>
      (proxy?.connections ?? 0) > 0 ? undefined : `the new address at ${provider.port} was not dialled`
  },
  {
    name: "1,000 aborts in one tick",
    over: h2,
    inFlight: 1_000,
    aborted: true,
    // All of them have to be there first.
    options: { timeout: 60_000 },
    strike: silence,
    heal: ({ provider }) => until(() => provider.aborts() === 1_000),
    expect: { inFlight: fails("Aborted") }
  },
  {
    name: "50 aborts in one tick",
    over: h1,
    inFlight: 50,
    aborted: true,
    // All of them have to be there first.
    options: { timeout: 60_000 },
    strike: silence,
    heal: ({ provider }) => until(() => provider.aborts() === 50),
    expect: { inFlight: fails("Aborted") }
  }
]
