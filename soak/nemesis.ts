/** The schedule of faults: drawn from the faults of the matrix by a seed, each kind as often as any other. */
import type { RateLimit } from "../src/testing/Sandbox.ts"
import type { FaultRule } from "../src/testing/Sandbox.ts"
import { rows } from "../test/faults/rows/sandbox.ts"
import type { ToxicProxy } from "../test/support/toxics.ts"
import { type Random, random } from "./random.ts"

/** The protocols; there is a server of each. */
export const wires = ["HTTP/1.1", "HTTP/2"] as const
export type Wire = (typeof wires)[number]

/** The keys of all who ask again and again. A key that is none of these is asked with once. */
export const keys = ["sk-soak-free", "sk-soak-counted", "sk-soak-adaptive"] as const

/** A command to a server, which can be written as JSON. */
export type Order =
  | { readonly type: "fault"; readonly rule: FaultRule }
  | {
      readonly type: "toxic"
      readonly toxic: Parameters<ToxicProxy["add"]>[0]
      readonly direction: NonNullable<Parameters<ToxicProxy["add"]>[1]>
    }
  /** The proxy refuses connections. */
  | { readonly type: "down" }
  /** Nothing passes, unnoticed by both sides. In the end those connections are cut. */
  | { readonly type: "freeze" }
  | { readonly type: "limit"; readonly limit: RateLimit }
  /** This key is not known any more. */
  | { readonly type: "refuse"; readonly key: string }

export interface Strike {
  readonly kind: string
  readonly wire: Wire
  readonly order: Order
  /** Ms until all is well again. */
  readonly lasts: number
}

interface Kind {
  readonly kind: string
  readonly over: ReadonlyArray<Wire>
  readonly order: (random: Random) => Order
}

const fault = (kind: string, fault: FaultRule["fault"], over: ReadonlyArray<Wire> = wires): Kind => ({
  kind,
  over,
  order: ({ pick }) => ({ type: "fault", rule: { match: { every: pick([1, 2, 3]) }, fault } })
})

const toxic = (kind: string, make: (random: Random) => Parameters<ToxicProxy["add"]>[0]): Kind => ({
  kind: `proxy: ${kind}`,
  over: wires,
  order: (random) => ({ type: "toxic", toxic: make(random), direction: random.pick(["downstream", "upstream"]) })
})

const simple = (kind: string, order: Kind["order"]): Kind => ({ kind, over: wires, order })

const soon = { "retry-after-ms": "50" }

const kinds: ReadonlyArray<Kind> = [
  ...rows.flatMap(({ name, over = wires, sandbox }) =>
    sandbox === undefined
      ? []
      : [
          fault(
            name,
            sandbox.fault,
            wires.filter((wire) => over.includes(wire))
          )
        ]
  ),
  fault("sandbox: 500", { type: "status", status: 500 }),
  fault("sandbox: 503 with a Retry-After", { type: "status", status: 503, headers: soon }),
  fault("sandbox: an account without money", { type: "status", status: 429, code: "insufficient_quota" }),
  fault("sandbox: REFUSED_STREAM", { type: "resetBeforeHeaders", code: 7 }, ["HTTP/2"]),
  fault("sandbox: GOAWAY with an error", { type: "goAway", code: 2 }, ["HTTP/2"]),
  toxic("latency", ({ between }) => ({ type: "latency", ms: Math.round(between(50, 900)) })),
  toxic("bandwidth", () => ({ type: "bandwidth", bytesPerSecond: 4_000 })),
  toxic("a slow close", () => ({ type: "slowClose", ms: 300 })),
  toxic("a silence that ends", () => ({ type: "timeout" })),
  toxic("a silence, and a close", ({ between }) => ({ type: "timeout", ms: Math.round(between(50, 500)) })),
  toxic("resets", ({ pick }) => ({ type: "resetPeer", ms: pick([0, 10, 200]) })),
  toxic("slices", () => ({ type: "slicer", bytes: 40, every: 2 })),
  toxic("a limit of bytes", ({ between }) => ({ type: "limitData", bytes: Math.round(between(100, 3_000)) })),
  simple("proxy: down", () => ({ type: "down" })),
  simple("proxy: a black hole", () => ({ type: "freeze" })),
  simple("a key refused, and back", ({ pick }) => ({ type: "refuse", key: pick(keys) })),
  simple("few requests a minute", () => ({ type: "limit", limit: { requestsPerMinute: 120, burst: 0.05 } })),
  simple("few requests at once", ({ pick }) => ({
    type: "limit",
    limit: { maxConcurrency: pick([1, 2]), concurrencyRetryAfter: 40 }
  }))
]

/** The strikes of a seed, for ever: a pack of all kinds, then the next pack. */
export function* strikes(seed: number): Generator<Strike, never> {
  const chance = random(seed)
  for (;;) {
    for (const { kind, order, over } of chance.shuffled(kinds)) {
      yield {
        kind,
        wire: chance.pick(over),
        order: order(chance),
        lasts: Math.round(chance.between(300, 2_000))
      }
    }
  }
}
