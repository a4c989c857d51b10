import type { Ticker } from "../../src/internal/util/ticker.ts"

export interface HandTicker extends Ticker {
  /** Lets so many milliseconds pass: timers run in the order in which they are due, and promises in between. */
  readonly pass: (ms: number) => Promise<void>
  /** The same, but nothing happens until all of it has passed: a machine that slept. */
  readonly sleep: (ms: number) => Promise<void>
  /** Number of timers that are set. */
  readonly timers: () => number
}

/** Lets promises that are due settle. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Time that passes on command. Its timers may be late by `late()`, up to `lateness`. */
export const handTicker = (lateness = 0, late: () => number = () => 0): HandTicker => {
  let now = 0
  const timers = new Set<{ readonly at: number; readonly f: () => void }>()
  const pass = async (ms: number): Promise<void> => {
    const end = now + ms
    await settle()
    for (;;) {
      let next: { readonly at: number; readonly f: () => void } | undefined
      for (const timer of timers) if (next === undefined || timer.at < next.at) next = timer
      if (next === undefined || next.at > end) break
      timers.delete(next)
      now = Math.max(now, next.at)
      next.f()
      await settle()
    }
    now = end
  }
  return {
    now: () => now,
    date: () => now,
    lateness,
    after: (ms, f) => {
      const timer = { at: now + ms + late(), f }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    pass,
    sleep: async (ms) => {
      await settle()
      now += ms
      await pass(0)
    },
    timers: () => timers.size
  }
}
