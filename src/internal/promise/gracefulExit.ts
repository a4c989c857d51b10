/**
 * Graceful exit of a process with open clients. None of them keeps it alive. A signal without other listeners ends it
 * as it would without us, except that requests in flight may complete first: new requests wait meanwhile, so no code
 * meets an error that the signal alone would not have brought.
 */
import { constants } from "node:os"
import { isMainThread } from "node:worker_threads"
import { root } from "../util/asyncContext.ts"
import { performance, setTimeout } from "../util/timers.ts"
import { queueMicrotask } from "../util/timers.ts"

/** Work to complete before the process ends. */
export interface Ending {
  readonly inFlight: () => Promise<number>
  readonly park: (on: boolean) => void
  readonly rest: () => Promise<void>
  /** In milliseconds. */
  readonly drainTimeout: number
}

const signals = ["SIGTERM", "SIGINT"] as const

/** Interval in ms between checks for requests in flight. */
const look = 10

/** Time in ms to read and process a response that has arrived. */
const lastWords = 50

/** Time in ms for servers to respond to the end of connections. */
const goodbye = 500

/**
 * All copies of the package in a process, whatever their version, share this: the first one listens for them all, since
 * two that each die of the signal would cut each other short. Changes of its shape need another name.
 */
const KEY: unique symbol = Symbol.for("clientele/exit@1")

interface Shared {
  readonly endings: Set<Ending>
  /** Undoes what the copy did that listens. */
  unlisten: (() => void) | undefined
}

const shared: Shared = ((process as { [KEY]?: Shared })[KEY] ??= {
  endings: new Set(),
  unlisten: undefined
})

/**
 * Listeners of the package signal-exit, 3 and 4: they leave a signal to others if there are any, and what they count are
 * listeners that are not theirs.
 */
const modest = (): number => {
  const carriers: ReadonlyArray<unknown> = [
    (globalThis as Record<symbol, unknown>)[Symbol.for("signal-exit emitter")],
    (process as unknown as Record<string, unknown>)["__signal_exit_emitter__"]
  ]
  return carriers.reduce<number>((sum, carrier) => {
    const count: unknown = (carrier as { readonly count?: unknown } | null | undefined)?.count
    return typeof count === "number" ? sum + count : sum
  }, 0)
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const inFlight = async (endings: ReadonlyArray<Ending>): Promise<number> => {
  const counts = await Promise.all(endings.map((ending) => ending.inFlight()))
  return counts.reduce((sum, count) => sum + count, 0)
}

const drain = async (endings: ReadonlyArray<Ending>, signal: NodeJS.Signals): Promise<void> => {
  const longest = Math.max(...endings.map(({ drainTimeout }) => drainTimeout))
  const since = performance.now()
  for (const ending of endings) ending.park(true)
  const count = await inFlight(endings)
  if (count > 0 && signal === "SIGINT" && process.stderr.isTTY) {
    const most = longest === Infinity ? "" : `, for at most ${Math.ceil(longest / 1000)} s`
    process.stderr.write(`clientele: waiting for ${count} requests in flight${most}; Ctrl-C again ends at once\n`)
  }
  for (let wanted = count; wanted > 0;) {
    const passed = performance.now() - since
    wanted = await inFlight(endings.filter(({ drainTimeout }) => passed < drainTimeout))
    if (wanted > 0) await sleep(look)
  }
  // The time of some is up.
  if (count > 0 && (await inFlight(endings)) > 0) return
  await sleep(lastWords)
  await Promise.race([Promise.all(endings.map((ending) => ending.rest())), sleep(goodbye)])
}

const onSignal = (first: NodeJS.Signals): void => {
  // An app that listens decides for itself: it may want to go on, and its requests with it.
  if (process.listenerCount(first) - 1 > modest()) return
  const endings = [...shared.endings]
  let over = false
  const finish = (signal: NodeJS.Signals, isTold: boolean): void => {
    if (over) return
    over = true
    for (const name of signals) process.removeListener(name, again)
    if (process.listenerCount(signal) <= modest()) {
      process.kill(process.pid, signal)
      // The first process of a container is not killed by a signal without a listener. The status is that of shells for a
      // killed process (POSIX).
      setTimeout(() => process.exit(128 + constants.signals[signal]), 100)
      return
    }
    // An app that has begun to listen meanwhile gets the signal, and decides for itself.
    for (const ending of endings) ending.park(false)
    if (!isTold) process.kill(process.pid, signal)
  }
  // Deno also calls a listener that is added during a signal for that signal.
  let isNext = false
  queueMicrotask(() => (isNext = true))
  // The next one ends the process at once. Not by its usual effect alone: without a listener one may get lost.
  const again = (signal: NodeJS.Signals): void => {
    if (isNext) finish(signal, true)
  }
  for (const name of signals) {
    process.prependListener(name, again)
    process.removeListener(name, onSignal)
  }
  const drained = (): void => finish(first, false)
  drain(endings, first).then(drained, drained)
}

let rested = false

/** Nothing waits any more. Requests that begin afterwards open other sockets. */
const onBeforeExit = (): void => {
  if (rested) return
  rested = true
  for (const ending of shared.endings) void ending.rest()
}

/** `node --watch` waits for the process that it restarts. */
const isWatched = (): boolean => process.env["WATCH_REPORT_DEPENDENCIES"] !== undefined

const listen = (): void => {
  process.on("beforeExit", onBeforeExit)
  // Signals come to the main thread alone.
  if (!isMainThread || isWatched()) return
  // First in line: listeners that are removed by being called are still to be counted.
  for (const signal of signals) process.prependListener(signal, onSignal)
}

const unlisten = (): void => {
  process.removeListener("beforeExit", onBeforeExit)
  for (const signal of signals) process.removeListener(signal, onSignal)
}

const collected = new FinalizationRegistry<() => void>((detach) => detach())

/** The same for something that may be dropped without being closed, and is then forgotten. */
export const attachWeakly = (ending: Ending): (() => void) => {
  const ref = new WeakRef(ending)
  const detach = attach({
    inFlight: () => ref.deref()?.inFlight() ?? Promise.resolve(0),
    park: (on) => ref.deref()?.park(on),
    rest: () => ref.deref()?.rest() ?? Promise.resolve(),
    drainTimeout: ending.drainTimeout
  })
  collected.register(ending, detach)
  return detach
}

/** The result undoes it. */
export const attach = (ending: Ending): (() => void) => {
  shared.endings.add(ending)
  if (shared.unlisten === undefined) {
    rested = false
    shared.unlisten = unlisten
    root(listen)
  }
  return () => {
    if (!shared.endings.delete(ending) || shared.endings.size > 0) return
    shared.unlisten?.()
    shared.unlisten = undefined
  }
}
