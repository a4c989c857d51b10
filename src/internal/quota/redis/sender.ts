/**
 * Sends scripts to Redis. Calls of one turn of the event loop go out in one write. Each call settles within its timeout
 * for each round trip, and at once when the connection breaks: ioredis would queue it, and send it again, whatever the
 * options of the given client, and a budget that is taken later is of no use to its caller.
 */
import type { Client } from "./client.ts"
import * as RoundTrip from "./roundTrip.ts"
import type { Script } from "./scripts.ts"
import { clearTimeout, nextTick, performance, setImmediate, setTimeout } from "../../util/timers.ts"

export interface ScriptSender {
  /** Rejects with the error of Redis or of ioredis. */
  readonly run: (script: Script, key: string, args: ReadonlyArray<number>) => Promise<unknown>
  /** Round-trip time of the scripts that were run. */
  readonly roundTrip: RoundTrip.RoundTrip
  /** Resolves when all calls have settled, and lets go of the client. */
  readonly stop: () => Promise<void>
}

/**
 * Parts of a timeout, each with a timer of its own: time in which the process was too busy to read an answer, or to send
 * the question, counts for one of them at most.
 */
const PARTS = 4

const isUnknownScript = (error: unknown): boolean => error instanceof Error && error.message.startsWith("NOSCRIPT")

interface CallTerms {
  readonly script: Script
  readonly key: string
  readonly args: ReadonlyArray<number>
  /** Milliseconds for each round trip. */
  readonly timeout: number
}

interface Outcomes {
  readonly resolve: (reply: unknown) => void
  readonly reject: (error: Error) => void
  /** Called when it settles, with the milliseconds of its round trip if it has succeeded. */
  readonly settled: (call: Call, roundTripMs: number | undefined) => void
  readonly timedOut: () => void
}

/** A script on its way. */
class Call {
  readonly script: Script
  readonly key: string
  readonly args: ReadonlyArray<number>
  readonly #timeout: number
  readonly #outcomes: Outcomes
  #isOpen = true
  #sentAt = 0
  /** Parts of the timeout. */
  #left = 0
  #timer: NodeJS.Timeout | undefined

  constructor({ args, key, script, timeout }: CallTerms, outcomes: Outcomes) {
    this.script = script
    this.key = key
    this.args = args
    this.#timeout = timeout
    this.#outcomes = outcomes
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** The timeout begins: it is sent, for the first time or again. */
  sent(): void {
    clearTimeout(this.#timer)
    this.#sentAt = performance.now()
    this.#left = PARTS
    this.#timer = setTimeout(this.#late, this.#timeout / PARTS)
  }

  readonly succeed = (reply: unknown): void => {
    this.#settle(performance.now() - this.#sentAt)
    this.#outcomes.resolve(reply)
  }

  readonly fail = (error: unknown): void => {
    this.#settle(undefined)
    this.#outcomes.reject(error as Error)
  }

  #settle(roundTripMs: number | undefined): void {
    clearTimeout(this.#timer)
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#outcomes.settled(this, roundTripMs)
  }

  readonly #late = (): void => {
    if (--this.#left > 0) {
      this.#timer = setTimeout(this.#late, this.#timeout / PARTS)
      return
    }
    const since = this.#sentAt
    // A process that was busy may have the answer already: sockets are read before this runs.
    setImmediate(() => {
      if (!this.#isOpen || this.#sentAt !== since) return
      this.fail(new Error(`no reply within ${this.#timeout} ms`))
      this.#outcomes.timedOut()
    })
  }
}

const failed = (client: Client, call: Call, error: unknown): void => {
  // It was not run, so sending it once more costs nothing, unless its caller has left.
  if (!isUnknownScript(error) || !call.isOpen) return call.fail(error)
  call.sent()
  client.eval(call.script.lua, 1, call.key, ...call.args).then(call.succeed, call.fail)
}

const sendAlone = (client: Client, call: Call): void => {
  client
    .evalsha(call.script.sha, 1, call.key, ...call.args)
    .then(call.succeed, (error: unknown) => failed(client, call, error))
}

const sendTogether = (client: Client, calls: ReadonlyArray<Call>): void => {
  const pipeline = client.pipeline()
  for (const call of calls) pipeline.evalsha(call.script.sha, 1, call.key, ...call.args)
  pipeline.exec().then(
    (replies) =>
      calls.forEach((call, index) => {
        const [error, reply] = replies?.[index] ?? [new Error("no reply from Redis"), undefined]
        if (error === null) call.succeed(reply)
        else failed(client, call, error)
      }),
    (error: unknown) => calls.forEach((call) => call.fail(error))
  )
}

/** `timedOut` is called when a call had no answer after so many milliseconds. */
export const make = (client: Client, timeout: number, timedOut: () => void): ScriptSender => {
  const open = new Set<Call>()
  let emptied: (() => void) | undefined
  let waiting: Array<Call> = []
  const roundTrip = RoundTrip.make()
  const flush = (): void => {
    const calls = waiting
    waiting = []
    // The keys of a cluster live on several nodes, and a pipeline goes to one.
    if (calls.length > 1 && !client.isCluster) sendTogether(client, calls)
    else for (const call of calls) sendAlone(client, call)
  }
  const settled = (call: Call, roundTripMs: number | undefined): void => {
    if (roundTripMs !== undefined) roundTrip.add(roundTripMs)
    open.delete(call)
    if (open.size === 0) emptied?.()
  }
  const broken = (): void => {
    for (const call of open) call.fail(new Error("the connection was closed"))
  }
  client.on("close", broken)
  return {
    run: (script, key, args) =>
      new Promise((resolve, reject) => {
        if (client.status !== "ready") return reject(new Error(`not connected (${client.status})`))
        const call = new Call({ script, key, args, timeout }, { resolve, reject, settled, timedOut })
        call.sent()
        open.add(call)
        // After all promises that are due: then calls that start together are sent together.
        if (waiting.push(call) === 1) nextTick(flush)
      }),
    roundTrip,
    stop: async () => {
      if (open.size > 0) {
        await new Promise<void>((resolve) => {
          emptied = resolve
        })
      }
      client.off("close", broken)
    }
  }
}
