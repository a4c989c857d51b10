/**
 * Other threads of the process that want descriptors. They announce it by a BroadcastChannel, which needs no handing
 * over between threads, again and again while they wait; an announcement that is not repeated expires.
 */
import { BroadcastChannel } from "node:worker_threads"
import { performance } from "../util/timers.ts"
import { root } from "../util/asyncContext.ts"
import { type BudgetUser, owes } from "./places.ts"

/** Changes of its messages need another name. */
const CHANNEL = "clientele/descriptors@1"

/** Time, in ms, for which a thread's last message counts: it is repeated every 50 ms, if the event loop is free. */
const TOLD_MS = 250

/** Time, in ms, for which a thread counts as holding sockets after it answered that it does. */
const HELD_MS = 5_000

/** Time, in ms, between two such answers. */
const ANSWER_MS = 1_000

/** Sockets that a thread gives up at most for one telling. */
const MAX_SOCKETS_PER_TELLING = 8

/** A thread waits with so many sockets, or answers one without any that it holds some. */
type Message =
  | { readonly type: "waits"; readonly id: string; readonly held: number }
  | { readonly type: "holds"; readonly id: string }

interface Neighbour {
  readonly held: number
  readonly since: number
  readonly until: number
  /** Sockets that are still to be given up for its last telling. */
  owed: number
}

const NONE: ReadonlyArray<Neighbour> = []

const read = (data: unknown): Message | undefined => {
  const { held, id, type } = (data ?? {}) as Readonly<Record<string, unknown>>
  if (typeof id !== "string") return undefined
  if (type === "holds") return { type, id }
  return type === "waits" && typeof held === "number" ? { type, id, held } : undefined
}

export class Neighbours {
  readonly #id = crypto.randomUUID()
  readonly #waiting = new Map<string, Neighbour>()
  #channel: BroadcastChannel | undefined
  #user: BudgetUser | undefined
  #answeredAt = -Infinity
  /** True once a message of another thread has come. */
  isKnown = false
  /** Until when one is believed to hold sockets. */
  heldUntil = -Infinity

  /** Hears of others, on behalf of the user, whose idle sockets it closes for them. */
  listen(user: BudgetUser): void {
    this.#user = user
    if (this.#channel !== undefined) return
    const channel = root(() => new BroadcastChannel(CHANNEL))
    const target = channel as unknown as EventTarget
    target.addEventListener("message", (event) => this.#hear((event as MessageEvent).data))
    channel.unref()
    this.#channel = channel
  }

  stop(): void {
    this.#channel?.close()
    this.#channel = this.#user = undefined
    this.#waiting.clear()
  }

  ask(held: number): void {
    this.#post({ type: "waits", id: this.#id, held })
  }

  /** True if a thread that waits has fewer sockets than `held`. */
  comesFirst(held: number): boolean {
    for (const neighbour of this.#fresh()) if (neighbour.held < held) return true
    return false
  }

  waitSince(): number | undefined {
    for (const neighbour of this.#fresh()) if (neighbour.owed > 0) return neighbour.since
    return undefined
  }

  mustYield(held: number, turnSince: number): boolean {
    for (const neighbour of this.#fresh()) {
      if (neighbour.owed > 0 && owes(held, neighbour.held, turnSince)) return true
    }
    return false
  }

  yielded(): void {
    for (const neighbour of this.#fresh()) {
      if (neighbour.owed === 0) continue
      neighbour.owed--
      return
    }
  }

  /** Asked for with each request: most often there are none. */
  #fresh(): Iterable<Neighbour> {
    if (this.#waiting.size === 0) return NONE
    const now = performance.now()
    for (const [id, { until }] of this.#waiting) if (until <= now) this.#waiting.delete(id)
    return this.#waiting.values()
  }

  #post(message: Message): void {
    this.#channel?.postMessage(message)
  }

  #hear(data: unknown): void {
    const message = read(data)
    const user = this.#user
    if (message === undefined || user === undefined) return
    const now = performance.now()
    this.isKnown = true
    if (message.type === "holds") {
      this.heldUntil = now + HELD_MS
      return
    }
    const { held, id } = message
    const own = user.held()
    if (held === 0 && own > 0 && now - this.#answeredAt >= ANSWER_MS) {
      this.#answeredAt = now
      this.#post({ type: "holds", id: this.#id })
    }
    const before = this.#waiting.get(id)
    const since = before !== undefined && before.until > now ? before.since : now
    const neighbour: Neighbour = { held, since, until: now + TOLD_MS, owed: owed(own, held) }
    this.#waiting.set(id, neighbour)
    while (neighbour.owed > 0 && user.idleSince() !== undefined) {
      neighbour.owed--
      user.closeIdle()
    }
  }
}

/** Nothing for a small difference, since a socket that changes hands costs a handshake; but the only one is shared in turns. */
const owed = (own: number, theirs: number): number => {
  if (own === 1 && theirs === 0) return 1
  return own - theirs < Math.max(2, own / 4) ? 0 : Math.min(MAX_SOCKETS_PER_TELLING, Math.floor((own - theirs) / 2))
}
