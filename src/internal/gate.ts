/**
 * The gate of one credential: requests pass in the order in which they came, at most `maxConcurrency` at once, and at
 * the pace of `requestsPerMinute` (GCRA with a burst of one: each departure sets the earliest time of the next).
 * Those who wait depart by that schedule, not by when a timer happens to wake them, so that high rates are reached.
 * A waiter who gives up costs nothing and holds nobody up. Plain code: every request comes through here.
 */

export interface Limits {
  readonly requestsPerMinute: number
  readonly maxConcurrency: number
}

export interface Gate {
  /** Takes a permit if one is free and nobody waits for it. */
  readonly tryEnter: () => boolean
  /** Takes a permit when its turn comes. Rejects with the signal's reason. */
  readonly enter: (signal: AbortSignal | undefined) => Promise<void>
  /** Gives a permit back. */
  readonly leave: () => void
  /** From now on these limits hold. */
  readonly limit: (limits: Limits) => void
  readonly stats: () => { readonly inFlight: number; readonly queued: number; readonly limits: Limits }
}

interface Waiter {
  /** When it came. */
  readonly since: number
  readonly go: () => void
  gone: boolean
}

const MINUTE = 60_000
/** By how many milliseconds a departure that was held up may still count as on time. */
const LATE = 50
const LONGEST_TIMER = 2 ** 31 - 1

export const make = (initial: Limits, now: () => number = performance.now.bind(performance)): Gate => {
  let limits = initial
  let inFlight = 0
  let queued = 0
  /** When the last departure was due. */
  let lastAt = -Infinity
  let timer: NodeJS.Timeout | undefined
  const waiters: Array<Waiter> = []
  let head = 0

  const paced = (): boolean => limits.requestsPerMinute !== Infinity
  const dueAt = (): number => lastAt + MINUTE / limits.requestsPerMinute
  const free = (at: number): boolean => inFlight < limits.maxConcurrency && (!paced() || dueAt() <= at)
  const depart = (at: number, since: number): void => {
    inFlight++
    // Nothing is saved up while nobody waits, nor while all permits are taken.
    if (paced()) lastAt = Math.max(dueAt(), since, at - LATE)
  }
  const first = (): Waiter | undefined => {
    while (head < waiters.length && waiters[head]!.gone) head++
    if (head > 1024 && head * 2 > waiters.length) {
      waiters.splice(0, head)
      head = 0
    }
    return waiters[head]
  }
  const pump = (): void => {
    for (let waiter = first(); waiter !== undefined; waiter = first()) {
      const at = now()
      if (!free(at)) {
        // Only the pace needs a clock; a permit that comes back pumps by itself.
        if (inFlight < limits.maxConcurrency && timer === undefined) {
          timer = setTimeout(
            () => {
              timer = undefined
              pump()
            },
            Math.min(LONGEST_TIMER, Math.max(1, Math.ceil(dueAt() - at)))
          )
        }
        return
      }
      head++
      depart(at, waiter.since)
      waiter.go()
    }
    clearTimeout(timer)
    timer = undefined
  }

  return {
    tryEnter: () => {
      if (queued > 0) return false
      const at = paced() ? now() : 0
      if (!free(at)) return false
      depart(at, at)
      return true
    },
    enter: (signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error)
        const leaveQueue = (): void => {
          waiter.gone = true
          queued--
          signal?.removeEventListener("abort", onAbort)
        }
        const onAbort = (): void => {
          leaveQueue()
          reject(signal!.reason as Error)
          pump()
        }
        const waiter: Waiter = {
          since: now(),
          gone: false,
          go: () => {
            leaveQueue()
            resolve()
          }
        }
        queued++
        waiters.push(waiter)
        signal?.addEventListener("abort", onAbort, { once: true })
        pump()
      }),
    leave: () => {
      inFlight--
      pump()
    },
    limit: (next) => {
      limits = next
      clearTimeout(timer)
      timer = undefined
      pump()
    },
    stats: () => ({ inFlight, queued, limits })
  }
}
