/**
 * Measures the progress of uploads. A ping stands in line behind them: a body that a server's window admits at once is
 * one write, and on a slow path that takes longer than any answer may. But while more waits for the kernel than it
 * holds, it takes more only as the other side acknowledges what was sent, and that shows that it is there.
 */
import type { Socket } from "node:net"

/** No public method gives the bytes that wait. Under TLS there is the handle of TCP. */
interface Handle {
  readonly _parent?: Handle | null
  /** All that was handed over. */
  readonly bytesWritten?: number
  /** The part of it that the kernel has not taken. */
  readonly writeQueueSize?: number
}

export class Outflow {
  #taken = 0
  #wasBehind = false
  #total = 0

  /** Bytes that the kernel took while more waited, as seen from look to look. */
  look(socket: Socket): number {
    let { _handle: handle } = socket as { readonly _handle?: Handle | null }
    while (handle?._parent != null) handle = handle._parent
    const waiting = handle?.writeQueueSize ?? 0
    const taken = (handle?.bytesWritten ?? 0) - waiting
    const isBehind = waiting > 0
    if ((isBehind || this.#wasBehind) && taken > this.#taken) this.#total += taken - this.#taken
    this.#taken = taken
    this.#wasBehind = isBehind
    return this.#total
  }
}
