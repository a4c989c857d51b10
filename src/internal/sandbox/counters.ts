/** Statistics of the server. The server counts everything itself, and relies on no client's numbers. */
import { createHash } from "node:crypto"
import type { ConnectionStats, RequestLog, Stats } from "./model.ts"
import type { ServedConnection, Exchange } from "./exchange.ts"
import { Date, performance } from "../util/timers.ts"

/** Closed connections that are kept; a sandbox may run for days. */
const MAX_CLOSED_CONNECTIONS = 10_000

export interface RequestRecord {
  readonly id: number
  readonly at: number
  readonly arrived: number
  readonly method: string
  readonly path: string
  readonly key: string
  readonly keyKnown: boolean
  readonly connection: ServedConnection
  readonly exchange: Exchange
  model: string | undefined
  streamed: boolean
  fault: string | undefined
}

/** Tells keys apart in logs without showing any of one. */
export const fingerprint = (key: string): string =>
  key === "" ? "none" : `key-${createHash("sha256").update(key).digest("hex").slice(0, 8)}`

export class Counters {
  #connections: Array<ServedConnection> = []
  #opened = 0
  #lastConnection = 0
  #open = new Set<ServedConnection>()
  #peak = 0
  #requests = 0
  #lastRequest = 0
  #inFlight = 0
  #peakInFlight = 0
  #aborts = 0
  #faults = 0
  #rateLimited = 0
  #byKey = new Map<string, number>()
  #byPath = new Map<string, number>()
  #byStatus = new Map<number, number>()
  #abortCodes = new Map<number | "socket", number>()
  #masks = new Map<string, string>()
  #log: Array<RequestLog> = []
  #logNext = 0
  readonly #logSize: number

  constructor(logSize = 0) {
    this.#logSize = logSize
  }

  connect(tls: boolean): ServedConnection {
    const connection: ServedConnection = {
      id: ++this.#lastConnection,
      openedAt: Date.now(),
      tls,
      protocol: undefined,
      clientName: undefined,
      closed: false,
      requests: 0,
      inFlight: 0,
      peakInFlight: 0
    }
    this.#opened++
    this.#connections.push(connection)
    this.#open.add(connection)
    if (this.#open.size > this.#peak) this.#peak = this.#open.size
    return connection
  }

  disconnect(connection: ServedConnection): void {
    connection.closed = true
    this.#open.delete(connection)
    if (this.#connections.length > 2 * MAX_CLOSED_CONNECTIONS) {
      this.#connections = this.#connections.filter((one, i) => !one.closed || i >= MAX_CLOSED_CONNECTIONS)
    }
  }

  begin(exchange: Exchange, path: string, key: string, keyKnown: boolean): RequestRecord {
    const connection = exchange.connection
    this.#requests++
    connection.requests++
    if (++connection.inFlight > connection.peakInFlight) connection.peakInFlight = connection.inFlight
    if (++this.#inFlight > this.#peakInFlight) this.#peakInFlight = this.#inFlight
    this.#byKey.set(key, (this.#byKey.get(key) ?? 0) + 1)
    this.#byPath.set(path, (this.#byPath.get(path) ?? 0) + 1)
    return {
      id: ++this.#lastRequest,
      at: Date.now(),
      arrived: performance.now(),
      method: exchange.method,
      path,
      key,
      keyKnown,
      connection,
      exchange,
      model: undefined,
      streamed: false,
      fault: undefined
    }
  }

  end(entry: RequestRecord, aborted: number | "socket" | undefined): void {
    this.#inFlight--
    entry.connection.inFlight--
    if (aborted !== undefined) {
      this.#aborts++
      this.#abortCodes.set(aborted, (this.#abortCodes.get(aborted) ?? 0) + 1)
    }
    const status = entry.exchange.status
    if (status !== undefined) this.#byStatus.set(status, (this.#byStatus.get(status) ?? 0) + 1)
    if (status === 429) this.#rateLimited++
    if (entry.fault !== undefined) this.#faults++
    if (this.#logSize === 0) return
    this.#log[this.#logNext] = {
      id: entry.id,
      at: entry.at,
      arrived: entry.arrived,
      duration: Date.now() - entry.at,
      method: entry.method,
      path: entry.path,
      model: entry.model,
      key: this.#mask(entry.key),
      keyKnown: entry.keyKnown,
      streamed: entry.streamed,
      connection: entry.connection.id,
      status,
      fault: entry.fault,
      outcome: aborted !== undefined ? "aborted" : entry.fault !== undefined ? "fault" : "answered"
    }
    this.#logNext = (this.#logNext + 1) % this.#logSize
  }

  /** Connections that are open and requests in flight go on being counted; all else starts anew. */
  reset(): void {
    this.#connections = [...this.#open]
    for (const connection of this.#open) {
      connection.requests = 0
      connection.peakInFlight = connection.inFlight
    }
    this.#opened = this.#open.size
    this.#peak = this.#open.size
    this.#requests = 0
    this.#peakInFlight = this.#inFlight
    this.#aborts = this.#faults = this.#rateLimited = 0
    this.#byKey = new Map()
    this.#byPath = new Map()
    this.#byStatus = new Map()
    this.#abortCodes = new Map()
    this.#log = []
    this.#logNext = 0
  }

  stats(): Stats {
    return {
      connections: { open: this.#open.size, peak: this.#peak, total: this.#opened },
      byConnection: this.#connections.map(connectionStats),
      requests: this.#requests,
      inFlight: this.#inFlight,
      peakInFlight: this.#peakInFlight,
      requestsByKey: new Map(this.#byKey),
      requestsByPath: new Map(this.#byPath),
      responsesByStatus: new Map(this.#byStatus),
      rateLimited: this.#rateLimited,
      faults: this.#faults,
      aborts: this.#aborts,
      abortCodes: new Map(this.#abortCodes),
      log: [...this.#log.slice(this.#logNext), ...this.#log.slice(0, this.#logNext)]
    }
  }

  #mask(key: string): string {
    const known = this.#masks.get(key)
    if (known !== undefined) return known
    const masked = fingerprint(key)
    this.#masks.set(key, masked)
    return masked
  }
}

const connectionStats = (connection: ServedConnection): ConnectionStats => ({
  id: connection.id,
  open: !connection.closed,
  tls: connection.tls,
  protocol: connection.protocol,
  clientName: connection.clientName,
  requests: connection.requests,
  inFlight: connection.inFlight,
  peakInFlight: connection.peakInFlight
})

/** Statistics for other processes: maps become objects, and keys their masks. */
export const statsJson = (stats: Stats): unknown => ({
  ...stats,
  requestsByKey: Object.fromEntries([...stats.requestsByKey].map(([key, count]) => [fingerprint(key), count])),
  requestsByPath: Object.fromEntries(stats.requestsByPath),
  responsesByStatus: Object.fromEntries(stats.responsesByStatus),
  abortCodes: Object.fromEntries(stats.abortCodes)
})
