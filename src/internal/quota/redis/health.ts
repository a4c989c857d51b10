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

export const watch = ({ client, onDown, onUp, patience, probe }: HealthWatch): RedisHealth => {
  let state: "unknown" | "up" | "down" | "stopped" = "unknown"
  let looking = false
  let pause = FIRST_PAUSE_MS
  let upAt = 0
  let timer: NodeJS.Timeout | undefined
  let decided: (() => void) | undefined
  const known = new Promise<void>((resolve) => {
    decided = resolve
  })

  const look = (): void => {
    if (looking || state === "stopped" || client.status !== "ready") return
    clearTimeout(timer)
    // There is a connection; what is tried on it has a timeout of its own.
    clearTimeout(first)
    timer = undefined
    looking = true
    probe().then(succeeded, (error: unknown) => {
      looking = false
      failed(error)
    })
  }
  const succeeded = (): void => {
    looking = false
    if (state === "stopped") return
    clearTimeout(first)
    if (state !== "up") upAt = performance.now()
    if (state === "down") onUp()
    state = "up"
    decided?.()
  }
  const failed = (error: unknown): void => {
    if (state === "stopped") return
    clearTimeout(first)
    if (state === "up" && performance.now() - upAt > CALM_MS) pause = FIRST_PAUSE_MS
    if (state !== "down") onDown(reasonOf(client, error))
    state = "down"
    decided?.()
    // Without a connection there is nothing to look at; a new one is looked at when it is made.
    if (timer !== undefined || client.status !== "ready") return
    timer = setTimeout(() => {
      timer = undefined
      look()
    }, pause).unref()
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
  }
  const closed = (): void => failed(new Error("the connection was closed"))

  let chances = HANDSHAKE_FACTOR
  const missing = (): void => {
    if (client.status === "connect" && --chances > 0) first = setTimeout(missing, patience)
    else failed(new Error(`no connection within ${patience} ms`))
  }
  let first = setTimeout(missing, patience)
  client.on("ready", look)
  client.on("error", failed)
  client.on("close", closed)
  if (client.status === "wait") client.connect().catch(failed)
  else if (client.status === "end") failed(new Error("the connection was closed"))
  else look()

  return {
    isUp: () => state === "up",
    failed,
    known,
    stop: () => {
      state = "stopped"
      clearTimeout(first)
      clearTimeout(timer)
      client.off("ready", look)
      client.off("error", failed)
      client.off("close", closed)
      decided?.()
    }
  }
}
