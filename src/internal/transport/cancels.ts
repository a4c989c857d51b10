/**
 * What a session has cancelled, and what servers make of it: they count a cancelled stream for a while yet, and refuse
 * an innocent one in its place; and they kill a session that resets too much.
 */

/** Once a session has cancelled any, it keeps away from the limit by this. */
const headroom = 0.9
/**
 * A cancelled stream's place stays empty until the server has answered a ping that was sent after the reset, and then
 * for as long as that took and for this, in ms: a busy server is late in its own loop too.
 */
const hold = 25
/** No answer to a ping is taken for later than this, in ms. */
const longest = 1_000
/** Servers kill sessions that reset too much (Node: a burst of 1,000, then 33/s). Ours leave before, at this many, */
const mostResets = 400
/** of which so many are forgotten per second. */
const forgivenResets = 20

/** The session. */
interface Cancelling {
  /** Sends a ping; `pong` gets the milliseconds that its answer took. */
  readonly probe: (pong: (took: number) => void) => void
  /** Places are free again. */
  readonly freed: () => void
}

export class Cancels {
  readonly #session: Cancelling
  #any = false
  #resets = 0
  #resetAt = 0
  /** Places that the server may still count. */
  #held = 0
  /** Those of them of which the reset is not known to have been read. */
  #unread = 0
  #probing = false
  /** Some servers (gRPC's) take pings for abuse between which they sent nothing: they are as good as heard. */
  #mayProbe = true
  /** What the last answer took. */
  #lag = 0

  constructor(session: Cancelling) {
    this.#session = session
  }

  get held(): number {
    return this.#held
  }

  /** How many of the streams that the server allows are to be used. */
  within(allowed: number): number {
    return this.#any ? allowed * headroom : allowed
  }

  /** A stream is being cancelled. Says whether that makes one too many, so that the session should be left. */
  reset(now: number): boolean {
    this.#any = true
    this.#resets = Math.max(0, this.#resets - ((now - this.#resetAt) / 1000) * forgivenResets) + 1
    this.#resetAt = now
    return this.#resets > mostResets
  }

  /** Its reset is on its way: whatever is sent from now on comes after it. */
  closed(): void {
    this.#held++
    this.#unread++
    if (!this.#probing) this.#settle()
  }

  /** The server has sent an answer. */
  heard(): void {
    this.#mayProbe = true
  }

  #settle(): void {
    const count = this.#unread
    this.#unread = 0
    if (!this.#mayProbe) return this.#release(count)
    this.#mayProbe = false
    this.#probing = true
    this.#session.probe((took) => {
      this.#probing = false
      this.#lag = Math.min(took, longest)
      this.#release(count)
      if (this.#unread > 0) this.#settle()
    })
  }

  #release(count: number): void {
    const ms = hold + this.#lag
    setTimeout(() => {
      this.#held -= count
      this.#session.freed()
    }, ms).unref()
  }
}
