/** The part of an AbortSignal by which an exchange hears that it is not wanted any more. */
export interface CancelSource {
  readonly aborted: boolean
  readonly reason: unknown
  readonly addEventListener: (type: "abort", listener: CancelListener) => void
  readonly removeEventListener: (type: "abort", listener: CancelListener) => void
}

export interface CancelListener {
  readonly handleEvent: () => void
}

const NONE: ReadonlyArray<CancelListener> = []

/**
 * An AbortController and its signal in one, for the exchange of a call that is most often over before anybody cancels it:
 * events cost a signal more than all else that is kept of a call. The signal itself is made for those that take no less.
 */
export class Cancellation implements CancelSource {
  aborted = false
  reason: unknown
  #listeners: ReadonlyArray<CancelListener> = NONE
  #controller: AbortController | undefined

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.aborted) this.#controller.abort(this.reason)
    }
    return this.#controller.signal
  }

  cancel(): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = new DOMException("This operation was aborted", "AbortError")
    const listeners = this.#listeners
    this.#listeners = NONE
    for (const listener of listeners) listener.handleEvent()
    this.#controller?.abort(this.reason)
  }

  addEventListener(_: "abort", listener: CancelListener): void {
    this.#listeners = this.#listeners.length === 0 ? [listener] : [...this.#listeners, listener]
  }

  removeEventListener(_: "abort", listener: CancelListener): void {
    if (this.#listeners.length <= 1) this.#listeners = this.#listeners[0] === listener ? NONE : this.#listeners
    else this.#listeners = this.#listeners.filter((one) => one !== listener)
  }
}

/** The signal itself, or that of a cancellation. */
export const signalOf = (source: CancelSource): AbortSignal =>
  source instanceof Cancellation ? source.signal : (source as AbortSignal)
