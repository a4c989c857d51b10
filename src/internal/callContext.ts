/**
 * What a call brings to every fetch that it makes, however deep in an SDK: the signal of the fiber that runs it.
 * This is what lets an interruption abort the request of a callback that ignores its own signal.
 */
import { AsyncLocalStorage } from "node:async_hooks"

export interface CallContext {
  readonly signal: AbortSignal
}

const storage = new AsyncLocalStorage<CallContext>()

export const run = <A>(context: CallContext, f: () => A): A => storage.run(context, f)

export const current = (): CallContext | undefined => storage.getStore()
