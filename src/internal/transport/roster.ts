/**
 * The connections of a pool that take requests, and which of them is next: a good one before one that fails, and for a retry
 * another than the one that it failed on. Behind a balancer each connection leads to one backend, and a dead backend, which
 * fails at once, would otherwise be free most often and get most of the queue.
 */
import type { WireRequest } from "../http/types.ts"
import { H2Connection } from "./h2/connection.ts"
import type { Connection } from "./connection.ts"
import { performance } from "../util/timers.ts"

/** Failures in a row after which a connection is retired: one answered request in two hundred where one in six fails at random. */
const MAX_FAILURES = 3

/** Retirements a second while other connections do better: as many handshakes bear a provider that fails at random. */
const RETIREMENTS_PER_S = 10
/** Retirements a second while no connection does better, so that most likely all of the provider fails. */
const LONE_RETIREMENTS_PER_S = 1

/** Ms that a failing HTTP/1.1 connection rests where it may not be retired yet; doubled with each failure, up to the longest. */
const FIRST_REST_MS = 100
const LONGEST_REST_MS = 1_000

/** A backend that is down, restarting, or overloaded: another may be better off. 529 is Anthropic's "overloaded". */
const isBackendFailure = (status: number): boolean =>
  status === 500 || (status >= 502 && status <= 504) || status === 529

/** So many a second, saved up for a second. */
class Allowance {
  readonly #perSecond: number
  #left: number
  #at = performance.now()

  constructor(perSecond: number) {
    this.#perSecond = this.#left = perSecond
  }

  take(): boolean {
    const now = performance.now()
    this.#left = Math.min(this.#perSecond, this.#left + ((now - this.#at) * this.#perSecond) / 1_000)
    this.#at = now
    if (this.#left < 1) return false
    this.#left--
    return true
  }
}

export class Roster {
  readonly #live = new Set<Connection>()
  /** HTTP/1.1 connections that have nothing to do: those that fail first, then the others, the most recently used last. */
  readonly #idle: Array<Connection> = []
  /** Sessions that take requests. */
  readonly sessions: Array<H2Connection> = []
  /** Good answers so far. */
  #good = 0
  readonly #retirements = new Allowance(RETIREMENTS_PER_S)
  readonly #loneRetirements = new Allowance(LONE_RETIREMENTS_PER_S)
  /** The connection that a request failed on last, by the identity that its attempts share. */
  #failedOn: WeakMap<object, Connection> | undefined

  get size(): number {
    return this.#live.size
  }

  has(connection: Connection): boolean {
    return this.#live.has(connection)
  }

  add(connection: Connection): void {
    this.#live.add(connection)
    if (connection instanceof H2Connection) this.sessions.push(connection)
  }

  remove(connection: Connection): void {
    this.#live.delete(connection)
    remove(this.#idle, connection)
    if (connection instanceof H2Connection) remove(this.sessions, connection)
  }

  /** An HTTP/1.1 connection has nothing to do. */
  idle(connection: Connection): void {
    if (connection.failures === 0) this.#idle.push(connection)
    else this.#idle.unshift(connection)
  }

  /** Notes the status of a response. Returns whether its connection fails so often that another should take its place. */
  answered(connection: Connection, request: WireRequest, status: number): boolean {
    if (!isBackendFailure(status)) {
      connection.failures = 0
      this.#good++
      return false
    }
    if (connection.failures++ === 0) connection.goodBefore = this.#good
    this.failed(connection, request)
    return connection.failures >= MAX_FAILURES && this.#live.has(connection)
  }

  /** Returns true if one more may be retired now, and counts it. */
  mayRetire(connection: Connection): boolean {
    return (this.#isWorse(connection) ? this.#retirements : this.#loneRetirements).take()
  }

  /** An attempt failed on a connection: the next looks for another. */
  failed(connection: Connection, { about }: WireRequest): void {
    if (about !== undefined) (this.#failedOn ??= new WeakMap()).set(about, connection)
  }

  /** Milliseconds for which a connection that failed again and again gets no request, while others do better. */
  rest(connection: Connection): number {
    const more = connection.failures - MAX_FAILURES
    if (more < 0 || !this.#isWorse(connection)) return 0
    return Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** more)
  }

  pick({ about }: WireRequest): Connection | undefined {
    const avoid = about === undefined ? undefined : this.#failedOn?.get(about)
    let avoided: Connection | undefined
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.room() <= 0) continue
      if (connection !== avoid) {
        if (avoided !== undefined) this.idle(avoided)
        return connection
      }
      avoided = connection
    }
    const session = this.#session(avoid)
    if (session === undefined) return avoided
    if (avoided !== undefined) this.idle(avoided)
    return session
  }

  leastRecent(): Connection | undefined {
    let best: Connection | undefined
    // Connections that fail come first, and are not in the order of their use.
    for (const connection of this.#idle) {
      if (best === undefined || connection.idleSince < best.idleSince) best = connection
      if (connection.failures === 0) break
    }
    for (const session of this.sessions) {
      if (session.active === 0 && (best === undefined || session.idleSince < best.idleSince)) best = session
    }
    return best
  }

  #session(avoid: Connection | undefined): H2Connection | undefined {
    let best: H2Connection | undefined
    let rank = 0
    let most = 0
    for (const session of this.sessions) {
      const room = session.room()
      if (room <= 0) continue
      const own = session === avoid ? 0 : session.failures > 0 ? 1 : 2
      if (best !== undefined && (own < rank || (own === rank && room <= most))) continue
      best = session
      rank = own
      most = room
    }
    return best
  }

  /** True if another connection had a good answer since this one began to fail. */
  #isWorse(connection: Connection): boolean {
    return this.#good > connection.goodBefore
  }
}

const remove = <T>(from: Array<T>, item: T): void => {
  const at = from.indexOf(item)
  if (at !== -1) from.splice(at, 1)
}
