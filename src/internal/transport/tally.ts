/**
 * Counts by origin for the report of `clientele/register`, and a mark on requests of the pool for subscribers of
 * undici's channels. All copies of the package in a process share both. Nothing is counted until a report is wanted.
 */

export interface Tally {
  /** Attempts that were sent. */
  requests: number
  /** Sockets open now, those that are being opened included. */
  open: number
  /** The most of them at once. */
  peak: number
}

/** Changes of its shape need another name. */
const KEY: unique symbol = Symbol.for("clientele/tally@1")

interface Shared {
  origins: Map<string, Tally> | undefined
  isSending: boolean
}

const shared: Shared = ((globalThis as { [KEY]?: Shared })[KEY] ??= { origins: undefined, isSending: false })

/** Origins that are counted. */
const MAX_ORIGINS = 1_000

/** Begins to count. Pools that stand already are not counted. */
export const start = (): void => {
  shared.origins ??= new Map()
}

/** The counts of an origin, `undefined` without a report. */
export const countsOf = (origin: string): Tally | undefined => {
  const { origins } = shared
  if (origins === undefined) return undefined
  const known = origins.get(origin)
  if (known !== undefined || origins.size >= MAX_ORIGINS) return known
  const tally: Tally = { requests: 0, open: 0, peak: 0 }
  origins.set(origin, tally)
  return tally
}

export const counts = (): ReadonlyMap<string, Tally> => shared.origins ?? new Map()

export const opened = (tally: Tally): void => {
  tally.peak = Math.max(tally.peak, ++tally.open)
}

/** Runs `f`, which sends a request of the pool in this turn. */
export const sending = <A, B, C>(f: (a: A, b: B) => C, a: A, b: B): C => {
  shared.isSending = true
  try {
    return f(a, b)
  } finally {
    shared.isSending = false
  }
}

/** True while the pool itself dispatches a request. */
export const isSending = (): boolean => shared.isSending
