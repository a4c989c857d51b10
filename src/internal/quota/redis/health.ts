/**
 * Watches whether Redis counts. It does from the first script that ran until something fails; then a script is tried as
 * soon as there is a new connection, and now and then on the existing one, for a Redis that is reachable may still
 * refuse to count: because it loads, has no memory left, is a replica, or does not let this user run scripts.
 */
import { type Client, reasonOf } from "./client.ts"
import { clearTimeout, performance, setTimeout } from "../../util/timers.ts"

export interface RedisHealth {
  readonly isUp: () => boolean
  /** Something did not work. */
  readonly failed: (error: unknown) => void
  /** Resolves as soon as it is known for the first time whether Redis counts. */
  readonly known: Promise<void>
  readonly stop: () => void
}

export interface HealthWatch {
  readonly client: Client
  /** Runs a script that changes nothing of note. */
  readonly probe: () => Promise<unknown>
  /** If there is no connection after so many milliseconds, that is a failure. */
  readonly patience: number
  readonly onDown: (reason: string) => void
  readonly onUp: () => void
}

/** A user's own client checks a connection in some round trips of its own; so many times `patience` they may take. */
const HANDSHAKE_FACTOR = 3
/** Milliseconds between two looks at a connection that is there but doesn't count. */
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 5_000
/** After so many milliseconds without a failure the pauses start from the first again. */
const CALM_MS = 10_000

class Watch implements RedisHealth {
  readonly known: Promise<void>
  readonly #watched: HealthWatch
  #state: "unknown" | "up" | "down" | "stopped" = "unknown"
  #looking = false
  #pause = FIRST_PAUSE_MS
  #upAt = 0
  #timer: NodeJS.Timeout | undefined
  #decided: (() => void) | undefined
  #chances = HANDSHAKE_FACTOR
  /** Runs until there is a connection. */
  #first: NodeJS.Timeout

  constructor(watched: HealthWatch) {
    this.#watched = watched
    this.known = new Promise((resolve) => {
      this.#decided = resolve
    })
    this.#first = setTimeout(this.#missing, watched.patience)
    const { client } = watched
    client.on("ready", this.#look)
    client.on("error", this.failed)
    client.on("close", this.#closed)
    if (client.status === "wait") client.connect().catch(this.failed)
    else if (client.status === "end") this.#closed()
    else this.#look()
  }

  readonly isUp = (): boolean => this.#state === "up"

  readonly failed = (error: unknown): void => {
    if (this.#state === "stopped") return
    const { client, onDown } = this.#watched
    clearTimeout(this.#first)
    if (this.#state === "up" && performance.now() - this.#upAt > CALM_MS) this.#pause = FIRST_PAUSE_MS
    if (this.#state !== "down") onDown(reasonOf(client, error))
    this.#state = "down"
    this.#decided?.()
    // Without a connection there is nothing to look at; a new one is looked at when it is made.
    if (this.#timer !== undefined || client.status !== "ready") return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#look()
    }, this.#pause).unref()
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS)
  }

  stop(): void {
    const { client } = this.#watched
    this.#state = "stopped"
    clearTimeout(this.#first)
    clearTimeout(this.#timer)
    client.off("ready", this.#look)
    client.off("error", this.failed)
    client.off("close", this.#closed)
    this.#decided?.()
  }

  readonly #look = (): void => {
    const { client, probe } = this.#watched
    if (this.#looking || this.#state === "stopped" || client.status !== "ready") return
    clearTimeout(this.#timer)
    // There is a connection; what is tried on it has a timeout of its own.
    clearTimeout(this.#first)
    this.#timer = undefined
    this.#looking = true
    probe().then(
      () => this.#succeeded(),
      (error: unknown) => {
        this.#looking = false
        this.failed(error)
      }
    )
  }

  #succeeded(): void {
    this.#looking = false
    if (this.#state === "stopped") return
    clearTimeout(this.#first)
    if (this.#state !== "up") this.#upAt = performance.now()
    if (this.#state === "down") this.#watched.onUp()
    this.#state = "up"
    this.#decided?.()
  }

  readonly #closed = (): void => this.failed(new Error("the connection was closed"))

  readonly #missing = (): void => {
    const { client, patience } = this.#watched
    if (client.status === "connect" && --this.#chances > 0) this.#first = setTimeout(this.#missing, patience)
    else this.failed(new Error(`no connection within ${patience} ms`))
  }
}

export const watch = (watched: HealthWatch): RedisHealth => new Watch(watched)
