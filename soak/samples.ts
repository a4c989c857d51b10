/** Measurements of a soak every few seconds, and the comparison of its end with its beginning. */
import { readdirSync } from "node:fs"
import { setTimeout } from "node:timers/promises"
import * as Effect from "effect/Effect"
import * as ClientMap from "../src/ClientMap.ts"
import { median } from "../bench/bench.ts"
import type { Ledger } from "./ledger.ts"

export interface Sample {
  /** Seconds since the start. */
  readonly at: number
  /** MB in use, after garbage was collected. */
  readonly heap: number
  /** Beside the pool's own sockets, which come and go with the work. */
  readonly descriptors: number
  readonly leases: number
  /** The pool's own. */
  readonly sockets: number
  /** Ms. */
  readonly p50: number
  readonly p99: number
  /** So far. */
  readonly requests: number
}

export const descriptors = (): number => readdirSync("/dev/fd").length

/** Twice: finalization registries let go of things only between turns of the loop. */
const collect = async (): Promise<void> => {
  if (globalThis.gc === undefined) throw new Error("a soak needs node --expose-gc")
  globalThis.gc()
  await setTimeout(20)
  globalThis.gc()
}

export const leasesOf = ({ clients }: ClientMap.Stats): number =>
  clients.reduce((total, { inFlight, leases }) => total + Math.max(leases, inFlight), 0)

export const sample = (ledger: Ledger, from: number): Effect.Effect<Sample, never, ClientMap.ClientMap> =>
  Effect.gen(function* () {
    yield* Effect.promise(collect)
    const heap = process.memoryUsage().heapUsed / 2 ** 20
    const stats = yield* ClientMap.stats
    return {
      at: (performance.now() - from) / 1000,
      heap,
      descriptors: descriptors() - stats.sockets,
      leases: leasesOf(stats),
      sockets: stats.sockets,
      ...ledger.percentiles(),
      requests: ledger.requests
    }
  })

export interface Trend {
  readonly first: number
  readonly last: number
  /** 0.02 is 2 % more. */
  readonly growth: number
}

const at =
  (part: number) =>
  (values: ReadonlyArray<number>): number =>
    values.toSorted((a, b) => a - b)[Math.floor(part * (values.length - 1))] ?? NaN

/**
 * For descriptors the 90th percentile: a busy loop has not yet noticed all closed sockets of the pool, and so the
 * number beside them seems less at times, but never more.
 */
const typical = { heap: median, descriptors: at(0.9) }

/** The first third and the last, after a tenth to warm up. */
export const trend = (samples: ReadonlyArray<Sample>, of: keyof typeof typical): Trend => {
  const warm = samples.slice(Math.ceil(samples.length / 10)).map((one) => one[of])
  const third = Math.max(1, Math.floor(warm.length / 3))
  const first = typical[of](warm.slice(0, third))
  const last = typical[of](warm.slice(-third))
  return { first, last, growth: last / first - 1 }
}
