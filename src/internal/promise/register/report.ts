/**
 * What has become of an app's clients, on one line of stderr when its process ends, for those who set CLIENTELE_REPORT=1.
 * Sockets are counted as Node opens them, whoever asks: those of clients that are not pooled are what one looks for.
 */
import { Socket } from "node:net"
import type { Ending } from "../exit.ts"
import type { Made } from "./doors.ts"

let wanted = false
let asked = 0
let built = 0
let plain = 0
const seen = new WeakSet<object>()

/** Notes a client that an app has asked for, and gives it on. */
export const count = ({ client, plain: isPlain }: Made): object => {
  asked++
  if (isPlain) plain++
  else if (!seen.has(client)) {
    seen.add(client)
    built++
  }
  return client
}

const several = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`

let open = 0
let peak = 0

/** Says nothing if no client was asked for: processes that have no SDK inherit the variable too. */
const tell = (): void => {
  if (!wanted || asked === 0) return
  wanted = false
  const others = plain === 0 ? "" : `, ${plain} left as they are`
  // Bun's fetch opens its sockets unseen.
  const sockets = "Bun" in globalThis ? "" : `; at most ${several(peak, "socket")} open at once`
  process.stderr.write(`clientele: ${several(asked, "client")} asked for, ${built} built${others}${sockets}\n`)
}

export const start = (): void => {
  wanted = true
  const { connect } = Socket.prototype
  Socket.prototype.connect = function (this: Socket, ...args: Parameters<typeof connect>) {
    peak = Math.max(peak, ++open)
    this.once("close", () => open--)
    return connect.apply(this, args)
  } as typeof connect
  process.on("exit", tell)
}

/** For a process that dies of a signal, which has no `exit`. */
export const ending = (): Ending | undefined =>
  wanted
    ? {
        inFlight: () => Promise.resolve(0),
        park: (on) => {
          if (on) tell()
        },
        rest: () => Promise.resolve(),
        drainTimeout: 0
      }
    : undefined
