/**
 * Accounts for the streams that a session has cancelled. Servers count a cancelled stream for a while yet, and refuse a
 * new one in its place; and they end a session that resets too many.
 */
import { clearTimeout, setImmediate, setTimeout } from "../../util/timers.ts"

/** Once a session has cancelled any, it keeps away from the limit by this. */
const headroom = 0.9
/**
 * A cancelled stream's place stays empty until the server has answered a ping that was sent after the reset, and then
 * for as long as that took and for this, in ms: a busy server is late in its own loop too.
 */
const hold = 25
/** Time, in ms, for which the places stay empty where no ping may be sent; also the most that a slow ping adds. */
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
  /** Held places whose reset the server may not have read yet, with no ping under way to find out. */
  #unread = 0
  /** About to ask, asking, or waiting until it may ask. */
  #state: "idle" | "about" | "asking" | "waiting" = "idle"
  /** gRPC's servers take pings for abuse between which they sent nothing. */
  #mayAsk = true
  #patience: NodeJS.Timeout | undefined

  constructor(session: Cancelling) {
    this.#session = session
  }

  get held(): number {
    return this.#held
  }

  /** Number of streams to use of those that the server allows. */
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
    if (this.#state !== "idle") return
    // One ping for all that are cancelled at once.
    this.#state = "about"
    setImmediate(this.#settle)
  }

  /** The server has sent an answer. */
  heard(): void {
    this.#mayAsk = true
    if (this.#state !== "waiting") return
    clearTimeout(this.#patience)
    this.#settle()
  }

  #settle = (): void => {
    if (this.#mayAsk) return this.#ask()
    this.#state = "waiting"
    this.#patience = setTimeout(() => {
      this.#state = "idle"
      this.#free(this.#take())
    }, longest).unref()
  }

  #ask(): void {
    this.#state = "asking"
    this.#mayAsk = false
    const count = this.#take()
    this.#session.probe((took) => {
      setTimeout(() => this.#free(count), hold + Math.min(took, longest)).unref()
      if (this.#unread > 0) this.#settle()
      else this.#state = "idle"
    })
  }

  #take(): number {
    const count = this.#unread
    this.#unread = 0
    return count
  }

  #free(count: number): void {
    this.#held -= count
    this.#session.freed()
  }
}
