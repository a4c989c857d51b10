/**
 * Context that a call passes to every fetch that it makes, however deep in an SDK: the signal and the span of the fiber
 * that runs it. The signal is what lets an interruption abort the request of a callback that ignores its own; the span
 * records attempts. In return the context receives what SDKs do not report: how often a request was sent, and why it
 * failed.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import type * as Redacted from "effect/Redacted"
import type { AnySpan } from "effect/Tracer"
import type { LastRead } from "../http/answerJson.ts"
import type { PoolError, RequestError } from "../../ClientError.ts"
import type { Start } from "./startQueue.ts"
import type { CancelSource } from "../wire/cancellation.ts"
import type { Tracing } from "../telemetry/requestSpan.ts"

export interface CallContext {
  /** Aborts its requests. `undefined` if their own do. */
  readonly signal: CancelSource | undefined
  /** The span that the fiber was in when the call began, if any. */
  readonly span: AnySpan | undefined
  /** Makes spans of its requests. `undefined` without a tracer. */
  readonly tracing: Tracing | undefined
  /** The leave that its first request has to be sent, where the call has waited for that. */
  readonly start: Start | undefined
  /** Times that its last request was sent. */
  attempts: number
  /** Credential that its last answered request was sent with, then its other secrets; errors must not contain them. */
  secret: Redacted.Redacted | undefined
  hidden: (() => ReadonlyArray<string>) | undefined
  /** The last failure of a request. */
  failure: PoolError | RequestError | undefined
  /** The last body or events it read that should be JSON. */
  read: LastRead | undefined
  /** Answers whose bodies have not ended. Weakly, since a body that is collected gives its socket back. */
  open: Set<WeakRef<Response>> | undefined
}

const storage = new AsyncLocalStorage<CallContext>()

export const make = (
  signal: CancelSource | undefined,
  span: AnySpan | undefined,
  tracing?: Tracing,
  start?: Start
): CallContext => ({
  signal,
  span,
  tracing,
  start,
  attempts: 1,
  secret: undefined,
  hidden: undefined,
  failure: undefined,
  read: undefined,
  open: undefined
})

export const run = <A>(context: CallContext, f: () => A): A => storage.run(context, f)

export const current = (): CallContext | undefined => storage.getStore()

/**
 * The call has come to this. A body that it has not begun to read would keep its socket from others until it is
 * collected, so it is given up, unless the result may hold it: a response or a stream to be read later.
 */
export const settled = (context: CallContext, result: unknown): void => {
  if (context.open === undefined || typeof result === "function") return
  if (typeof result === "object" && result !== null) return
  for (const ref of context.open) {
    const response = ref.deref()
    if (response?.bodyUsed === false && response.body?.locked === false) response.body.cancel().catch(() => undefined)
  }
}
