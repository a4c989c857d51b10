/**
 * Sockets outlive the request that opened them, and whatever is created inside a request's asynchronous context keeps
 * that context's stores alive. So sockets, sessions, clients and pool timers are created in the context of module load.
 */
import { AsyncResource } from "node:async_hooks"

const loaded = new AsyncResource("clientele", { requireManualDestroy: true })
// Nothing is pending: without this, what looks for open handles (`jest --detectOpenHandles`) finds one. Its scope stays.
loaded.emitDestroy()

/** Runs `f` outside of every request's asynchronous context. */
export const root = <Args extends ReadonlyArray<unknown>, R>(f: (...args: Args) => R, ...args: Args): R =>
  loaded.runInAsyncScope(f as (...args: ReadonlyArray<unknown>) => R, undefined, ...args)
