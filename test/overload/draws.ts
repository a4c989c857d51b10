/** Draws arrivals, troubles and answers at random. */
import type { Outage, Trouble } from "./provider.ts"
import type { Draw } from "./run.ts"
import { randomOf } from "./virtualTime.ts"

const TROUBLES: ReadonlyArray<Trouble> = [500, 502, 503, 529, "reset", "refuse", "stall", 429]

export const drawOf = (seed: number): Draw => {
  const random = randomOf(seed * 31 + 7)
  const one = <A>(of: ReadonlyArray<A>): A => of[Math.floor(random() * of.length)]!
  const latency = one([50, 150, 150, 400, 1_500])
  const agents = one([1, 3, 10, 30, 60])
  const kind = one(["chance", "outage", "outage", "both", "flapping", "capacity"] as const)
  const from = 6_000 + Math.floor(random() * 2_000)
  const length = one([500, 2_000, 2_000, 5_000, 10_000])
  const trouble = one(TROUBLES)
  const outage: Outage = { from, to: from + length, trouble }
  const flapping = Array.from({ length: 5 }, (_, i) => ({
    from: from + 2_000 * i,
    to: from + 2_000 * i + 1_000,
    trouble
  }))
  const until = 16_000 + (kind === "outage" || kind === "both" ? length : 0)
  return {
    agents,
    think: one([0, 0, 200, 1_000]),
    until,
    law: {
      seed,
      p: kind === "chance" ? Math.floor(random() * 10) / 10 : kind === "both" ? one([0.1, 0.3]) : 0,
      trouble: one([500, 502, 503, 529, "reset"] as const),
      outages: kind === "outage" || kind === "both" ? [outage] : kind === "flapping" ? flapping : [],
      capacity: kind === "capacity" ? Math.max(1, Math.ceil(agents * one([0.2, 0.4, 0.7]))) : Infinity,
      latency,
      failLatency: one([5, 20, 20, 100]),
      retryAfter: trouble === 429 ? one([500, 1_000, 2_000]) : one([undefined, undefined, undefined, 1_000]),
      timeout: Math.max(2_000, 3 * latency)
    }
  }
}
