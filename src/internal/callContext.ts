/**
 * What a call brings to every fetch that it makes, however deep in an SDK: the signal of the fiber that runs it.
 * This is what lets an interruption abort the request of a callback that ignores its own signal. In return it learns
 * what SDKs do not tell: how often a request was sent, and why it failed.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import type { PoolError, RequestError } from "../ClientError.ts"

export interface CallContext {
  readonly signal: AbortSignal
  /** Of its last request: how often it was sent. */
  attempts: number
  /** The last failure of a request. */
  failure: PoolError | RequestError | undefined
}

const storage = new AsyncLocalStorage<CallContext>()

export const make = (signal: AbortSignal): CallContext => ({ signal, attempts: 1, failure: undefined })

export const run = <A>(context: CallContext, f: () => A): A => storage.run(context, f)

export const current = (): CallContext | undefined => storage.getStore()
