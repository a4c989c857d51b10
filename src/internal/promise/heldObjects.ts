/** Entries whose objects are held for the next getter: those used lately, at most `capacity`. */
import { root } from "../util/asyncContext.ts"
import { MAX_TIMEOUT_MS, clearInterval, setInterval } from "../util/timers.ts"
import type { Entry } from "./objectEntry.ts"

/** Sweeps in an idle time: an object is let go of after one idle time, and at most one and a half. */
const SWEEPS = 2

const MIN_SWEEP_MS = 10

export interface HeldObjects {
  /** Holds the object of an entry, and lets go of the least recently used one beyond `capacity`. */
  readonly touch: (entry: Entry, object: object) => void
  readonly count: () => number
  /** Lets go of all. */
  readonly clear: () => void
}

/** `idleTimeToLive` is in milliseconds. */
export const make = (capacity: number, idleTimeToLive: number): HeldObjects => {
  /** Least recently used first. */
  const held = new Set<Entry>()
  const every = Math.min(MAX_TIMEOUT_MS, Math.max(MIN_SWEEP_MS, idleTimeToLive / SWEEPS))
  let latest: Entry | undefined
  let turn = 0
  let timer: NodeJS.Timeout | undefined

  const letGo = (entry: Entry): void => {
    entry.held = undefined
    held.delete(entry)
    if (latest === entry) latest = undefined
  }

  const stop = (): void => {
    clearInterval(timer)
    timer = undefined
  }

  const sweep = (): void => {
    turn++
    for (const entry of held) {
      if (turn - entry.seen <= SWEEPS) break
      letGo(entry)
    }
    if (held.size === 0) stop()
  }

  return {
    touch: (entry, object) => {
      if (entry !== latest) {
        held.delete(entry)
        held.add(entry)
        entry.held = object
        latest = entry
        if (held.size > capacity) letGo(held.values().next().value!)
      }
      entry.seen = turn
      if (timer === undefined && idleTimeToLive !== Infinity) timer = root(setInterval, sweep, every).unref()
    },
    count: () => held.size,
    clear: () => {
      for (const entry of held) letGo(entry)
      stop()
    }
  }
}
