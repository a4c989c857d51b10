/**
 * Sockets outlive the request that opened them, and whatever is created inside a request's asynchronous context keeps
 * that context's stores alive. So sockets, sessions, clients and pool timers are created in the context of module load.
 */
import { AsyncLocalStorage } from "node:async_hooks"

/** Runs `f` outside of every request's asynchronous context. */
export const root = AsyncLocalStorage.snapshot()
