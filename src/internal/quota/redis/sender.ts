/**
 * Sends scripts to Redis. Calls of one turn of the event loop go out in one write. Each call settles within its timeout
 * for each round trip, and at once when the connection breaks: ioredis would queue it, and send it again, whatever the
 * options of the given client, and a budget that is taken later is of no use to its caller.
 */
import type { Client } from "./client.ts"
import * as RoundTrip from "./roundTrip.ts"
import type { Script } from "./scripts.ts"
import { clearTimeout, nextTick, performance, setImmediate, setTimeout } from "../../util/timers.ts"

export interface Sender {
  /** Rejects with the error of Redis or of ioredis. */
  readonly run: (script: Script, key: string, args: ReadonlyArray<number>) => Promise<unknown>
  /** Round-trip time of the scripts that were run. */
  readonly roundTrip: RoundTrip.RoundTrip
  /** Resolves when all calls have settled, and lets go of the client. */
  readonly stop: () => Promise<void>
}

interface Call {
  readonly script: Script
  readonly key: string
  readonly args: ReadonlyArray<number>
  /** The timeout begins: it is sent, for the first time or again. */
  readonly sent: () => void
  readonly succeed: (reply: unknown) => void
  readonly fail: (error: unknown) => void
}

/**
 * Parts of a timeout, each with a timer of its own: time in which the process was too busy to read an answer, or to send
 * the question, counts for one of them at most.
 */
const PARTS = 4

const isUnknownScript = (error: unknown): boolean => error instanceof Error && error.message.startsWith("NOSCRIPT")

/** `timedOut` is called when a call had no answer after so many milliseconds. */
export const make = (client: Client, timeout: number, timedOut: () => void): Sender => {
  const open = new Set<Call>()
  let emptied: (() => void) | undefined
  let waiting: Array<Call> = []
  const roundTrip = RoundTrip.make()

  const failed = (call: Call, error: unknown): void => {
    // It was not run, so sending it once more costs nothing, unless its caller has left.
    if (!isUnknownScript(error) || !open.has(call)) return call.fail(error)
    call.sent()
    client.eval(call.script.lua, 1, call.key, ...call.args).then(call.succeed, call.fail)
  }
  const sendAlone = (call: Call): void => {
    client
      .evalsha(call.script.sha, 1, call.key, ...call.args)
      .then(call.succeed, (error: unknown) => failed(call, error))
  }
  const sendTogether = (calls: ReadonlyArray<Call>): void => {
    const pipeline = client.pipeline()
    for (const call of calls) pipeline.evalsha(call.script.sha, 1, call.key, ...call.args)
    pipeline.exec().then(
      (replies) =>
        calls.forEach((call, index) => {
          const [error, reply] = replies?.[index] ?? [new Error("no reply from Redis"), undefined]
          if (error === null) call.succeed(reply)
          else failed(call, error)
        }),
      (error: unknown) => calls.forEach((call) => call.fail(error))
    )
  }
  const flush = (): void => {
    const calls = waiting
    waiting = []
    // The keys of a cluster live on several nodes, and a pipeline goes to one.
    if (calls.length > 1 && !client.isCluster) sendTogether(calls)
    else calls.forEach(sendAlone)
  }
  const broken = (): void => {
    for (const call of open) call.fail(new Error("the connection was closed"))
  }
  client.on("close", broken)

  return {
    run: (script, key, args) =>
      new Promise((resolve, reject) => {
        if (client.status !== "ready") return reject(new Error(`not connected (${client.status})`))
        let sentAt = 0
        let left = 0
        let timer: NodeJS.Timeout | undefined
        const settle = (): void => {
          clearTimeout(timer)
          open.delete(call)
          if (open.size === 0) emptied?.()
        }
        const call: Call = {
          script,
          key,
          args,
          sent: () => {
            clearTimeout(timer)
            sentAt = performance.now()
            left = PARTS
            timer = setTimeout(late, timeout / PARTS)
          },
          succeed: (reply) => {
            if (open.has(call)) roundTrip.add(performance.now() - sentAt)
            settle()
            resolve(reply)
          },
          fail: (error) => {
            settle()
            reject(error as Error)
          }
        }
        const late = (): void => {
          if (--left > 0) {
            timer = setTimeout(late, timeout / PARTS)
            return
          }
          const since = sentAt
          // A process that was busy may have the answer already: sockets are read before this runs.
          setImmediate(() => {
            if (!open.has(call) || sentAt !== since) return
            call.fail(new Error(`no reply within ${timeout} ms`))
            timedOut()
          })
        }
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
