/**
 * The pool of one origin: one queue of ours in front of a bounded set of connections. Nothing waits anywhere else, so a request
 * that is not on a connection has certainly not been sent, and can be given up, moved or refused without a trace.
 */
import type { BodyLimits } from "../util/bounds.ts"
import { whyEnded } from "../http/aborted.ts"
import { WireError } from "../wire/errors.ts"
import type { PoolStats, WirePool, WireRequest, WireResponse } from "../http/types.ts"
import { Backlog } from "./backlog.ts"
import { ConnectClock, type Connecting } from "./connectClock.ts"
import { root } from "../util/asyncContext.ts"
import { connectError } from "./errors.ts"
import { PendingRequest, type Owner } from "./pendingRequest.ts"
import { H2Connection } from "./h2/connection.ts"
import { Health } from "../overload/health.ts"
import type { Pass } from "../overload/lane.ts"
import type { Connection, Opening, OpeningHost } from "./connection.ts"
import { type MakeOpening, makeOpener } from "./opener.ts"
import { resolve, type ConnectionPoolOptions, type PoolSettings, type Starved } from "./options.ts"
import { Redial } from "./connectBackoff.ts"
import { Roster } from "./roster.ts"
import type { BudgetUser } from "./places.ts"
import type { SocketBudget } from "./sockets.ts"
import * as Tally from "./tally.ts"
import { TenantQueue } from "./tenantQueue.ts"
import { isSpent } from "./upload.ts"
import { Watch, type Watched } from "./watch.ts"
import { MAX_TIMEOUT_MS, clearTimeout, performance, setImmediate, setTimeout } from "../util/timers.ts"

/** Number of times that a request which connections refused is sent again. */
const mostRefusals = 5

/** Makes a pool. It opens nothing before the first request. */
export const makePool = (options: ConnectionPoolOptions): WirePool => new OriginPool(options)

class OriginPool implements WirePool, Owner, OpeningHost, BudgetUser, Watched, Connecting {
  readonly settings: PoolSettings
  readonly queue = new TenantQueue<PendingRequest>()
  readonly connections = new Set<Connection>()
  readonly budget: SocketBudget
  readonly #backlog: Backlog
  readonly health: Health
  readonly #makeOpening: MakeOpening
  readonly #redial: Redial
  readonly #watch: Watch
  readonly #clock: ConnectClock
  readonly #tally: Tally.Tally | undefined
  readonly #opening = new Set<Opening>()
  /** Connections that take requests; `connections` are all whose sockets are open. */
  readonly #roster = new Roster()
  /** Protocol of the connections; forgotten with the last of them, since the next may negotiate another. */
  #protocol: PoolStats["protocol"]
  #lastProtocol: PoolStats["protocol"]
  /** Streams that a session takes, as last seen. */
  #limit = 1
  #order = 0
  #sockets = 0
  #opened = 0
  #inFlight = 0
  /** In the budget's line. */
  #inLine = false
  #closing: Promise<void> | undefined
  #closed: (() => void) | undefined
  #cut: NodeJS.Timeout | undefined
  #cutAt = Infinity

  get limits(): BodyLimits {
    return this.settings
  }

  get protocol(): PoolStats["protocol"] {
    return this.#lastProtocol
  }

  constructor(options: ConnectionPoolOptions) {
    this.settings = resolve(options)
    this.budget = options.budget
    this.#backlog = new Backlog(this.settings.origin, this.settings)
    this.health = new Health({
      ...this.settings,
      backlog: this.#backlog,
      queued: () => this.queue.size,
      opened: this.#recall
    })
    this.#makeOpening = makeOpener(this.settings, options)
    this.#redial = new Redial(this.pump)
    this.#watch = new Watch(this)
    this.#clock = new ConnectClock(this)
    this.#tally = Tally.countsOf(this.settings.origin)
  }

  request = (request: WireRequest): Promise<WireResponse> => {
    const { health } = this
    const refusal = this.#closing === undefined ? this.#refusal(request) : closedError("no")
    const pass = refusal === undefined ? (request.pass ?? health.enter(request)) : undefined
    if (pass !== undefined) return this.#send(request, pass)
    if (request.pass !== undefined) health.drop(request.pass)
    return Promise.reject(refusal ?? health.refusal(request))
  }

  #refusal(request: WireRequest): WireError | undefined {
    const ended = whyEnded(request)
    // A request that has waited for its pass was admitted before.
    if (ended !== undefined || request.pass?.hasWaited) return ended
    return this.#backlog.refusal(this.queue.size + this.health.waiting, request.body)
  }

  #send = (request: WireRequest, pass: Pass): Promise<WireResponse> =>
    new Promise((resolve, reject) => {
      const pendingRequest = new PendingRequest(this, this.#order++, request, pass, { resolve, reject })
      this.queue.push(pendingRequest)
      this.#backlog.enter(request.body)
      this.pump()
      if (!pendingRequest.isQueued()) return
      this.#clock.joined(pendingRequest)
      pendingRequest.waits()
    })

  stats = (): PoolStats => ({
    sockets: this.#sockets,
    inFlight: this.#inFlight,
    queued: this.queue.size,
    opened: this.#opened,
    openCircuits: this.health.open(),
    protocol: this.#lastProtocol
  })

  close = (drain: number): Promise<void> => {
    this.#closing ??= new Promise((resolve) => {
      this.#closed = resolve
      this.hold(1)
      this.#failQueue(closedError("no"))
      this.health.close(closedError("no"))
      this.#leaveLine()
      this.#redial.stop()
      this.#clock.stop()
      for (const opening of this.#opening) opening.cancel()
      this.#opening.clear()
      for (const connection of this.connections) connection.retire()
    })
    const at = performance.now() + drain
    if (at < this.#cutAt && drain <= MAX_TIMEOUT_MS) {
      this.#cutAt = at
      clearTimeout(this.#cut)
      this.#cut = root(setTimeout, this.#destroyLanes, drain)
    }
    this.#whenEmpty()
    return this.#closing
  }

  /** Gives the queue's head to whatever connection has room, and opens connections for those who are left. */
  pump = (): void => {
    const { queue } = this
    for (let next = queue.peek(); next !== undefined; next = queue.peek()) {
      const recalled = next.request.recall?.()
      if (recalled !== undefined) {
        next.fail(recalled)
        continue
      }
      const connection = this.#roster.pick(next.request)
      if (connection === undefined) break
      queue.shift()
      this.#backlog.leave(next.request.body)
      this.#inFlight++
      if (next.scope.runInAsyncScope(sendOn, undefined, connection, next)) {
        if (this.#tally !== undefined) this.#tally.requests++
      } else {
        this.#inFlight--
        queue.putBack(next)
        this.#backlog.enter(next.request.body)
      }
    }
    if (queue.size > 0) return this.#grow()
    this.#clock.stop()
    this.#leaveLine()
    if (this.#opening.size > 0 && !this.#watch.held) {
      // Nobody waits for anything: a dial in progress would only keep the process alive.
      for (const opening of this.#opening) opening.cancel()
      this.#opening.clear()
    }
  }

  // Owner

  hold = (change: 1 | -1): void => this.#watch.hold(change)

  gaveUp = (pendingRequest: PendingRequest): void => {
    this.queue.gaveUp(pendingRequest)
    this.#backlog.leave(pendingRequest.request.body)
    if (this.queue.size > 0) return
    this.#clock.stop()
    this.#leaveLine()
    if (this.#opening.size > 0) setImmediate(this.pump)
  }

  finished = (): void => {
    this.#inFlight--
  }

  connectTime = (pendingRequest: PendingRequest): number => this.#clock.take(pendingRequest)

  // Connecting

  carried = (): number => {
    const opening = this.#opening.size
    const isPaused = this.#redial.isHeld(this.#roster.size + opening)
    if (this.#roster.size === 0) return opening > 0 || isPaused ? Infinity : 0
    if (opening === 0 && !isPaused) return 0
    const wanted = this.#wanted()
    const connections = opening + (isPaused ? this.#room() : 0)
    if (wanted > 0 && connections >= wanted) return Infinity
    return connections * (this.#protocol === "h2" ? Math.max(1, this.#limit) : 1)
  }

  unconnected = (late: ReadonlyArray<PendingRequest>): void => {
    for (const pendingRequest of late) {
      if (!pendingRequest.isQueued()) continue
      const ms = pendingRequest.request.timeouts.headers
      pendingRequest.fail(new WireError("Timeout", "no", `not connected to ${this.settings.origin} within ${ms} ms`))
    }
  }

  // OpeningHost

  opened = (opening: Opening, connection: Connection): void => {
    this.#opening.delete(opening)
    this.connections.add(connection)
    this.#roster.add(connection)
    this.#protocol = this.#lastProtocol = connection.protocol
    this.#redial.connected()
    this.freed(connection)
  }

  failed = (opening: Opening, error: unknown): void => {
    this.#opening.delete(opening)
    const others = this.#roster.size + this.#opening.size
    const why = connectError(this.settings.origin, error)
    if (why.reason === "FileDescriptors" && others === 0 && this.#mayWait()) return
    this.#redial.failed(others, why.reason !== "Untrusted" && why.reason !== "Refused")
    // Nothing was sent, and there is another way: whoever waits goes on waiting.
    if (others > 0) return
    this.health.unreachable(why, () => this.#failQueue(why))
  }

  /** Returns true if a socket of another pool, copy or thread will do, for which to stand in line. */
  #mayWait(): boolean {
    this.budget.exhausted()
    if (!this.budget.othersHold(this)) return false
    setImmediate(this.pump)
    return true
  }

  closed = (): void => {
    this.#sockets--
    if (this.#tally !== undefined) this.#tally.open--
    this.budget.release(this)
    this.#whenEmpty()
    if (this.queue.size > 0) this.pump()
  }

  freed = (connection: Connection): void => {
    if (this.#roster.has(connection)) {
      if (connection instanceof H2Connection) this.#limit = connection.limit ?? this.#limit
      if (this.budget.mustYield(this, connection.openedAt)) this.#yield(connection)
      else if (connection.protocol === "http/1.1") this.#rest(connection)
    }
    this.pump()
    // Others are in line, and nobody here needs it.
    const needless = connection.active === 0 && this.queue.size === 0 && this.#roster.has(connection)
    if (needless && this.budget.isShort() && this.othersWaitSince() !== undefined) this.#yield(connection)
  }

  answered = (connection: Connection, { request }: PendingRequest, status: number | undefined): void => {
    if (status === undefined) this.#roster.failed(connection, request)
    else if (
      this.#roster.answered(connection, request, status) &&
      this.#isReplaceable(connection) &&
      this.#roster.mayRetire(connection)
    ) {
      connection.retire()
    }
  }

  retired = (connection: Connection): void => this.#roster.remove(connection)

  gone = (connection: Connection): void => {
    this.connections.delete(connection)
    if (this.connections.size === 0) this.#protocol = undefined
    if (this.queue.size > 0) setImmediate(this.pump)
  }

  requeue = (pendingRequest: PendingRequest, error: WireError): void => {
    if (
      error.reason === "Untrusted" ||
      ++pendingRequest.refusals > mostRefusals ||
      this.#closing !== undefined ||
      isSpent(pendingRequest.request.body)
    ) {
      error.resent = pendingRequest.refusals - 1
      return pendingRequest.fail(error)
    }
    this.#inFlight--
    pendingRequest.returned()
    this.queue.putBack(pendingRequest)
    this.#clock.joined(pendingRequest)
    this.#backlog.enter(pendingRequest.request.body)
    setImmediate(this.pump)
  }

  // BudgetUser

  held = (): number => this.#sockets

  idleSince = (): number | undefined => this.#roster.leastRecent()?.idleSince

  closeIdle = (): void => this.#roster.leastRecent()?.retire()

  offer = (): boolean => {
    this.#inLine = false
    if (this.#closing !== undefined || this.queue.size === 0 || this.#missing() <= 0) return false
    this.#open()
    // For more it stands in line again: others come first.
    this.#grow()
    return true
  }

  // Watched

  bound = (): Pick<Starved, "bound" | "limit"> | undefined => {
    const { maxConnections } = this.settings
    if (this.#opening.size > 0) return undefined
    if (this.#sockets >= maxConnections) return { bound: "maxConnections", limit: maxConnections }
    if (!this.#inLine) return undefined
    const { isFull, limit } = this.budget
    return isFull ? { bound: "maxSockets", limit } : { bound: "process", limit: this.budget.held() }
  }

  othersWaitSince = (): number | undefined => this.budget.othersWaitSince(this)

  barredSince = (): number | undefined => {
    if (this.#opening.size > 0) return undefined
    let last: number | undefined
    for (const { barredSince } of this.#roster.sessions) {
      if (barredSince === undefined) return undefined
      last = Math.max(last ?? 0, barredSince)
    }
    return last
  }

  #yield(connection: Connection): void {
    if (connection.active === 0) this.budget.yielded()
    connection.retire()
  }

  /** Offers an idle HTTP/1.1 connection to the queue, at once or when it has rested. */
  #rest(connection: Connection): void {
    const ms = this.#roster.rest(connection)
    if (ms === 0) return this.#roster.idle(connection)
    root(
      setTimeout,
      () => {
        if (!this.#roster.has(connection)) return
        this.#roster.idle(connection)
        this.pump()
      },
      ms
    ).unref()
  }

  /** True if another connection can be opened while the requests on this one go on, for hours perhaps. */
  #isReplaceable(connection: Connection): boolean {
    return connection.active <= 1 || this.#room() > 0
  }

  /** Number of further sockets that may be opened. */
  #room(): number {
    if (this.#inLine) return 0
    return Math.min(this.settings.maxConnections - this.#sockets, this.budget.room())
  }

  /** Number of further connections to open for the queue. */
  #missing(): number {
    const opening = this.#opening.size
    if (this.#sockets >= this.settings.maxConnections) return 0
    if (this.#redial.isHeld(this.#roster.size + opening)) return 0
    return this.#wanted() - opening
  }

  /** Number of connections that the queue needs, those that are being opened included. */
  #wanted(): number {
    if (this.#protocol === undefined) return this.#first()
    if (this.#protocol === "http/1.1") return this.queue.size
    let soon = 0
    for (const session of this.#roster.sessions) {
      // A server that allows no streams now would not allow more on another connection.
      if (session.limit === 0) return 0
      soon += session.soon()
    }
    return Math.ceil((this.queue.size - soon) / Math.max(1, this.#limit))
  }

  /** The first connection alone says what the origin speaks, unless that is settled anyhow. */
  #first(): number {
    const { http2, url } = this.settings
    return http2 === false || (http2 === true && url.protocol === "http:") ? this.queue.size : 1
  }

  #grow(): void {
    this.#openMissing()
    this.#clock.update()
  }

  #openMissing(): void {
    let missing = this.#missing()
    for (; missing > 0 && this.#sockets < this.settings.maxConnections; missing--) {
      if (this.#inLine || !this.budget.take(this)) {
        this.#inLine = true
        return
      }
      this.#open()
    }
  }

  #open(): void {
    this.#sockets++
    this.#opened++
    if (this.#tally !== undefined) Tally.opened(this.#tally)
    this.#watch.start()
    const opening = this.#makeOpening(this)
    this.#opening.add(opening)
    root(startOpening, opening, this.#protocol)
  }

  #leaveLine(): void {
    if (!this.#inLine) return
    this.#inLine = false
    this.budget.leave(this)
  }

  #failQueue(error: WireError): void {
    for (let next = this.queue.peek(); next !== undefined; next = this.queue.peek()) next.fail(error)
  }

  /** A circuit has opened: those who wait for a socket wait for that instead. */
  #recall = (): void => {
    for (const pendingRequest of this.queue.all()) {
      if (this.health.isRecalled(pendingRequest.pass))
        pendingRequest.fail(this.health.circuitOpen(pendingRequest.pass.lane))
    }
  }

  #destroyLanes = (): void => {
    for (const connection of this.connections) connection.destroy(closedError("maybe"))
  }

  #whenEmpty(): void {
    if (this.#sockets > 0) return
    if (this.#closed === undefined) return
    const closed = this.#closed
    this.#closed = undefined
    clearTimeout(this.#cut)
    this.hold(-1)
    this.#watch.stop()
    closed()
  }
}

const send = (connection: Connection, pendingRequest: PendingRequest): boolean => connection.send(pendingRequest)

const sendOn = (connection: Connection, pendingRequest: PendingRequest): boolean =>
  Tally.sending(send, connection, pendingRequest)

const startOpening = (opening: Opening, protocol: Connection["protocol"] | undefined): void => opening.start(protocol)

const closedError = (processed: "no" | "maybe"): WireError => new WireError("Closed", processed, "the pool was closed")
