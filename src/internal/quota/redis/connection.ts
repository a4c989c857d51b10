/** A connection of our own to Redis, which comes back by itself and keeps no process alive. */
import { Redis } from "ioredis"
import { clearTimeout, performance, setTimeout } from "../../util/timers.ts"

/** Address, database and user of a Redis, as ioredis takes them. */
export interface RedisTarget {
  readonly host: string
  readonly port: number
  readonly db: number
  readonly username?: string
  readonly password?: string
  readonly tls?: object
}

export interface RedisConnection {
  readonly client: Redis
  /** Drops the connection, and makes a new one. */
  readonly renew: () => void
  /** At once: answers that are due don't come any more. */
  readonly close: () => void
}

/** Milliseconds. */
const CONNECT_TIMEOUT_MS = 5_000
const DISCONNECT_TIMEOUT_MS = 250
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2_000
/** A connection that held for so long was a good one: the next is tried soon. */
const GOOD_CONNECTION_MS = 5_000

const noop = (): void => {}

export const open = (target: RedisTarget): RedisConnection => {
  const client = new Redis({
    ...target,
    lazyConnect: true,
    connectionName: "clientele",
    disableClientInfo: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    // The store tries a script before it trusts a connection, a stronger check.
    enableReadyCheck: false,
    enableOfflineQueue: false,
    // ioredis would keep the process alive to connect again, and send again what had no answer.
    retryStrategy: () => null,
    // A replica that has taken the place of the primary: its name may lead elsewhere by now.
    reconnectOnError: (error) => error.message.startsWith("READONLY")
  })
  let [closed, pause, readyAt] = [false, FIRST_PAUSE_MS, 0]
  let timer: NodeJS.Timeout | undefined

  // The store listens for errors too; this listener is for errors after it has stopped.
  client.on("error", noop)
  client.on("connect", () => client.stream.unref())
  client.on("ready", () => {
    readyAt = performance.now()
  })
  client.on("end", () => {
    if (closed) return
    if (performance.now() - readyAt > GOOD_CONNECTION_MS) pause = FIRST_PAUSE_MS
    // Spread out, for a Redis that comes back is met by all processes at once.
    timer = setTimeout(() => client.connect().catch(noop), pause * (0.5 + Math.random() / 2)).unref()
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
  })

  return {
    client,
    renew: () => client.stream.destroy(),
    close: () => {
      closed = true
      clearTimeout(timer)
      if (client.status !== "end" && client.status !== "wait") client.disconnect()
    }
  }
}
