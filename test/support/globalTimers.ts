/**
 * Replacement for `src/internal/util/timers.ts` in tests of timers themselves: the globals of the moment, so that those
 * tests can fake them.
 */
const late =
  (name: "setTimeout" | "setInterval" | "setImmediate" | "clearTimeout" | "clearInterval" | "clearImmediate") =>
  (...args: ReadonlyArray<unknown>): unknown =>
    (globalThis[name] as (...args: ReadonlyArray<unknown>) => unknown)(...args)

export const setTimeout = late("setTimeout")
export const setInterval = late("setInterval")
export const setImmediate = late("setImmediate")
export const clearTimeout = late("clearTimeout")
export const clearInterval = late("clearInterval")
export const clearImmediate = late("clearImmediate")
export const performance = { now: (): number => globalThis.performance.now() }
export const queueMicrotask = (f: () => void): void => globalThis.queueMicrotask(f)
export const nextTick = (f: () => void): void => process.nextTick(f)
export const Date = globalThis.Date
export const MAX_TIMEOUT_MS = 2 ** 31 - 1
