/** A network between a client and a server that are both well: toxiproxy's toxics. */
import type { ToxicProxy } from "../../support/toxics.ts"
import { fails, processed } from "../expected.ts"
import type { Row, World } from "../row.ts"
import { type Arrival, completionFor, json } from "../server/arrival.ts"

type Toxic = Parameters<ToxicProxy["add"]>[0]

const poison = (toxic: Toxic) => ({
  proxied: true,
  prepare: ({ proxy }: World) => proxy?.add(toxic)
})

/** An answer of many packets. */
const long = (held: Arrival): void => {
  const body = completionFor(held.id).padEnd(150_000)
  held.head(200, { ...json, "content-length": String(body.length) })
  held.data(body.slice(0, 16_000))
  for (let at = 16_000; at < body.length; at += 16_000) held.data(body.slice(at, at + 16_000))
  held.end()
}

export const rows: ReadonlyArray<Row> = [
  { name: "latency", ...poison({ type: "latency", ms: 100 }), strike: long, expect: {} },
  { name: "little bandwidth", ...poison({ type: "bandwidth", bytesPerSecond: 500_000 }), strike: long, expect: {} },
  { name: "packets in slices", ...poison({ type: "slicer", bytes: 700, every: 1 }), strike: long, expect: {} },
  { name: "an end that is late", ...poison({ type: "slowClose", ms: 200 }), strike: long, expect: {} },
  {
    name: "a path that is cut, and open again",
    kinds: ["chat", "stored"],
    proxied: true,
    strike: () => undefined,
    befall: async ({ proxy }) => {
      await proxy?.down()
      await proxy?.up()
    },
    expect: { inFlight: processed() }
  },
  {
    name: "a path that is reset",
    kinds: ["chat", "stored"],
    proxied: true,
    strike: () => undefined,
    befall: ({ proxy }) => {
      proxy?.add({ type: "resetPeer" })
      proxy?.clear()
    },
    expect: { inFlight: processed() }
  },
  {
    name: "a path that ends in mid body",
    kinds: ["chat", "stored"],
    proxied: true,
    strike: (held, { proxy }) => {
      proxy?.add({ type: "limitData", bytes: 50_000 })
      long(held)
    },
    heal: ({ proxy }) => proxy?.clear(),
    expect: { inFlight: fails("Connection", { processed: "yes", attempts: 1 }) }
  }
]
