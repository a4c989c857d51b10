/**
 * Node's own timers and clocks, as they were when this module was loaded. Test frameworks replace the globals (`setTimeout`,
 * `setImmediate`, `performance`, `Date`, ...), some before any test module is loaded; requests must go on all the same. The
 * names are those of the globals, so that an import is all that tells them apart.
 */
import { performance as clock } from "node:perf_hooks"
import * as timers from "node:timers"

export const { clearImmediate, clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } = timers

/** The longest delay of a timer, 24.8 days: beyond this setTimeout fires at once. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** Monotonic. */
export const performance = { now: clock.now.bind(clock) }

/** For dates that come over the wire; dates that users give are measured by the Clock of effect, and so by the global. */
export const Date = globalThis.Date

export const nextTick = process.nextTick.bind(process)

const settled = Promise.resolve()

/** Through a promise, which no framework replaces. `f` must not throw. */
export const queueMicrotask = (f: () => void): void => void settled.then(f)
