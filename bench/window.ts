/** Counts of the server while agents ask: from the first request on, however long their processes took to start. */
import { setTimeout } from "node:timers/promises"
import type { Counts, Server } from "./server.ts"

export interface Window {
  /** Milliseconds. */
  readonly ms: number
  /** Requests that were let in during that time. */
  readonly answered: number
  /** From the first request to its end. */
  readonly counts: Counts
}

/** When the first request came, and the counts of that time. */
export const begun = async (server: Server): Promise<{ readonly at: number; readonly counts: Counts }> => {
  for (;;) {
    const counts = await server.stats()
    if (counts.requests > 0) return { at: performance.now(), counts }
    await setTimeout(5)
  }
}

/**
 * `ms` of what these processes ask, from `skip` ms after the first request on; they should go on for a while longer. What
 * was let in at the end of that time is answered only `latency` later, so as much later it is counted.
 */
export const watch = async <A>(
  server: Server,
  { latency, ms, skip = 0 }: { readonly skip?: number; readonly ms: number; readonly latency: number },
  processes: Promise<A>
): Promise<{ readonly window: Window; readonly outcome: A }> => {
  const look = async (): Promise<Window> => {
    const first = await begun(server)
    if (skip === 0) {
      await setTimeout(ms + latency)
      const to = await server.stats()
      return { answered: answered(to), counts: to, ms: performance.now() - latency - first.at }
    }
    await setTimeout(skip + latency)
    const from = await server.stats()
    const at = performance.now()
    await setTimeout(ms)
    const to = await server.stats()
    return { answered: answered(to) - answered(from), counts: to, ms: performance.now() - at }
  }
  const [window, outcome] = await Promise.all([look(), processes])
  return { window, outcome }
}

const answered = ({ responsesByStatus }: Counts): number => responsesByStatus["200"] ?? 0

/** Share of a rate that was used, in percent. */
export const used = ({ answered, ms }: Window, perMinute: number): number =>
  (answered / ((perMinute * ms) / 60_000)) * 100

/** 429s of a hundred answers. */
export const refused = ({ counts }: Window): number => {
  const answers = Object.values(counts.responsesByStatus).reduce((sum, count) => sum + count, 0)
  return (counts.rateLimited / answers) * 100
}
