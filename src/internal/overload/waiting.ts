/** One request that may not go yet: it goes, gives up, or is aborted, and each of these once. */
import type { RequestQueue, Waiter } from "../util/waitQueue.ts"
import type { Ticker } from "../util/ticker.ts"

/** Ends a wait: with leave to go, with a retry that is paid for, as a refused probe's follower, or after its time. */
export type Verdict<Leave extends object> = Leave | "paid" | "refused" | "late"

/** Terms of a wait. */
export interface Wait {
  readonly order: number
  /** Milliseconds. */
  readonly ms: number
  readonly signal: AbortSignal | undefined
  /** Gives up when the next probe is refused. */
  readonly sharesVerdict: boolean
}

interface Outcomes<Leave extends object> {
  readonly resolve: (verdict: Verdict<Leave>) => void
  readonly reject: (reason: unknown) => void
  /** Called when it waits no more. */
  readonly left: () => void
}

export class HeldRequest<Leave extends object> implements Waiter {
  readonly order: number
  readonly sharesVerdict: boolean
  #queue: RequestQueue<HeldRequest<Leave>>
  readonly #signal: AbortSignal | undefined
  readonly #resolve: (verdict: Verdict<Leave>) => void
  readonly #reject: (reason: unknown) => void
  readonly #left: () => void
  readonly #cancel: (() => void) | undefined
  #queued = true

  constructor(
    queue: RequestQueue<HeldRequest<Leave>>,
    { ms, order, sharesVerdict, signal }: Wait,
    ticker: Ticker,
    { left, reject, resolve }: Outcomes<Leave>
  ) {
    this.order = order
    this.sharesVerdict = sharesVerdict
    this.#queue = queue
    this.#signal = signal
    this.#resolve = resolve
    this.#reject = reject
    this.#left = left
    signal?.addEventListener("abort", this.#onAbort, { once: true })
    if (ms !== Infinity) this.#cancel = ticker.after(ms, () => this.giveUp("late"))
  }

  readonly isQueued = (): boolean => this.#queued

  /** It has been taken from its queue. */
  go(verdict: Leave | "paid"): void {
    this.#end()
    this.#resolve(verdict)
  }

  /** It has been taken from its queue, and waits in another. */
  move(queue: RequestQueue<HeldRequest<Leave>>): void {
    this.#queue = queue
    queue.insert(this)
  }

  giveUp(verdict: "refused" | "late"): void {
    this.#end()
    this.#queue.gaveUp()
    this.#resolve(verdict)
  }

  #end(): void {
    this.#queued = false
    this.#signal?.removeEventListener("abort", this.#onAbort)
    this.#cancel?.()
    this.#left()
  }

  fail(reason: unknown): void {
    this.#end()
    this.#queue.gaveUp()
    this.#reject(reason)
  }

  readonly #onAbort = (): void => this.fail(this.#signal!.reason)
}
