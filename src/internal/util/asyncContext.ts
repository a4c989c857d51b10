/**
 * Sockets outlive the request that opened them, and whatever is created inside a request's asynchronous context keeps
 * that context's stores alive. So sockets, sessions, clients and pool timers are created in the context of module load.
 */
import { AsyncResource } from "node:async_hooks"

/** Runs `f` in the asynchronous context in which it was made. */
export type Context = <Args extends ReadonlyArray<unknown>, R>(f: (...args: Args) => R, ...args: Args) => R

/** The current context, as `AsyncLocalStorage.snapshot` gives it, but invisible to searches for open handles. */
export const snapshot = (): Context => {
  const resource = new AsyncResource("clientele", { requireManualDestroy: true })
  // Nothing is pending: without this `jest --detectOpenHandles` reports it. It goes on keeping its context.
  resource.emitDestroy()
  return (f, ...args) => resource.runInAsyncScope(f as (...args: ReadonlyArray<unknown>) => never, undefined, ...args)
}

/** Runs `f` outside of every request's asynchronous context. */
export const root = snapshot()
