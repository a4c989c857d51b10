/** A response's body that never was on a wire. */
import type { WireError } from "../wire/errors.ts"
import type { WireBody } from "../http/types.ts"

export class MemoryBody implements WireBody {
  readonly #chunks: Array<Uint8Array> = []
  readonly #onCancel: () => void
  #over = false
  #error: WireError | undefined
  #waiter: { resolve: (chunk: Uint8Array | undefined) => void; reject: (error: WireError) => void } | undefined
  #listeners: Array<(error: WireError | undefined) => void> = []
  #settled = false

  constructor(onCancel: () => void) {
    this.#onCancel = onCancel
  }

  push(chunk: Uint8Array): void {
    if (this.#over) return
    this.#chunks.push(chunk)
    this.#wake()
  }

  end(error?: WireError): void {
    if (this.#over) return
    this.#over = true
    this.#error = error
    this.#wake()
  }

  read(): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
      this.#wake()
    })
  }

  cancel(): void {
    if (this.#settled) return
    this.#over = true
    this.#chunks.length = 0
    this.#onCancel()
    this.#settle(undefined)
    this.#wake()
  }

  onEnd(f: (error: WireError | undefined) => void): void {
    if (this.#settled) f(this.#error)
    else this.#listeners.push(f)
  }

  #wake(): void {
    const waiter = this.#waiter
    if (waiter === undefined) {
      if (this.#over && this.#chunks.length === 0) this.#settle(this.#error)
      return
    }
    const chunk = this.#chunks.shift()
    if (chunk === undefined && !this.#over) return
    this.#waiter = undefined
    if (chunk !== undefined) return waiter.resolve(chunk)
    this.#settle(this.#error)
    if (this.#error === undefined) waiter.resolve(undefined)
    else waiter.reject(this.#error)
  }

  #settle(error: WireError | undefined): void {
    if (this.#settled) return
    this.#settled = true
    for (const f of this.#listeners.splice(0)) f(error)
  }
}
