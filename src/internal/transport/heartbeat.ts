/**
 * Whether the other side of a session is still there. A path that has died says nothing, and TCP takes minutes to say
 * so: hence pings. One that is missed may be a busy server or our own blocked event loop; two in a row are the end.
 */

/** How many pings in a row may go unanswered, the last of them included. */
const mostMissed = 2

export class Heartbeat {
  readonly #every: number
  /** When it pinged last, or knew otherwise that the other side is there. */
  #at: number
  #waiting = false
  #missed = 0
  /** Bytes that had come when it pinged. */
  #bytes = 0

  /** `every` in ms, `now` by performance.now(). */
  constructor(every: number, now: number) {
    this.#every = every
    this.#at = now
  }

  /** A ping was missed: nothing new should be sent until the other side is heard of. */
  get suspect(): boolean {
    return this.#missed > 0
  }

  /** Called every so often: whether to ping now, or to give the session up. `bytes` are those that have come so far. */
  beat(now: number, busy: boolean, bytes: number): "ping" | "dead" | undefined {
    if (now - this.#at <= this.#every) return undefined
    if (this.#waiting) {
      // An answer may stand in line behind a long response on a slow path.
      if (bytes > this.#bytes) this.answered()
      else if (++this.#missed >= mostMissed) return "dead"
    }
    if (!this.#waiting && !busy) return undefined
    this.#at = now
    this.#bytes = bytes
    this.#waiting = true
    return "ping"
  }

  /** The other side is there. */
  answered(): void {
    this.#waiting = false
    this.#missed = 0
  }
}
