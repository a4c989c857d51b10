/**
 * Detects that the other side of a session is gone. A dead path is silent, and TCP takes minutes to report it: hence
 * pings. One missed ping may be a busy server or our own blocked event loop; two in a row end the session.
 */

/** Missed pings in a row that end a session, the last of them included. */
const mostMissed = 2
/** Time, in ms, for which an answer is expected that would clear a doubt. */
const hope = 1_000

export class Heartbeat {
  readonly #every: number
  /** When it pinged last, or knew otherwise that the other side is there. */
  #at: number
  #waiting = false
  #missed = 0
  /** Bytes that had come when it pinged, and those that had left by the other side's leave. */
  #bytes = 0
  #left = 0
  /** Its last ping stands behind an upload, as whatever is sent now would. */
  #behind = false
  #doubtedAt = -Infinity

  /** `every` in ms, `now` by performance.now(). */
  constructor(every: number, now: number) {
    this.#every = every
    this.#at = now
  }

  /** A ping was missed: no new requests until the peer sends something. */
  get suspect(): boolean {
    return this.#missed > 0 || this.#behind
  }

  /** In doubt for so short a time that the answer may well be on its way. */
  hopes(now: number): boolean {
    return this.#missed > 0 && now - this.#doubtedAt < hope
  }

  /**
   * A request has waited too long for an answer: the session is suspect until the peer sends something. Returns true to
   * ping now.
   */
  doubt(now: number, bytes: number, left: number): boolean {
    this.#doubtedAt = now
    this.#missed = Math.max(1, this.#missed)
    if (this.#waiting) return false
    this.#sent(now, bytes, left)
    return true
  }

  /**
   * Called every so often: whether to ping now, or to give the session up. `active` streams are on it, of `held` ones it
   * is not known whether it still counts them, `bytes` have come so far, and `left` is what `Outflow` has seen leave.
   */
  beat(now: number, active: number, held: number, bytes: number, left: number): "ping" | "dead" | undefined {
    // Nothing is lost with it, and it may stand in the place of one that is well.
    if (active === 0 && this.suspect && !this.hopes(now)) return "dead"
    if (now - this.#at <= this.#every) return undefined
    if (this.#waiting) {
      // An answer may stand in line behind a long response on a slow path.
      if (bytes > this.#bytes) this.answered()
      // The ping itself may be queued behind a long upload, of which the kernel takes more.
      else if (left > this.#left) {
        this.#behind = true
        this.#missed = 0
      } else if (++this.#missed >= mostMissed) return "dead"
    }
    if (!this.#waiting && active + held === 0) return undefined
    this.#sent(now, bytes, left)
    return "ping"
  }

  /** The other side is there. */
  answered(): void {
    this.#waiting = false
    this.#behind = false
    this.#missed = 0
  }

  #sent(now: number, bytes: number, left: number): void {
    this.#at = now
    this.#bytes = bytes
    this.#left = left
    this.#waiting = true
  }
}
