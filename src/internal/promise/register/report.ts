/**
 * Reports an app's clients and requests on stderr when its process ends, with CLIENTELE_REPORT=1. Sockets of the first
 * line are counted as Node opens them, for all callers: those of unpooled clients are the interesting ones.
 */
import { Socket } from "node:net"
import * as Tally from "../../transport/tally.ts"
import * as Exit from "../gracefulExit.ts"
import type { Made } from "./model.ts"
import * as Origins from "./origins.ts"

let wanted = false
let asked = 0
let built = 0
let plain = 0
const seen = new WeakSet<object>()

/** Pooled clients that were built, by origin. */
const clients = new Map<string, number>()

/** Requests that were not pooled, by origin and road. */
const passed = new Map<string, { readonly origin: string; readonly road: string; requests: number }>()

/** Rows of each kind; more are not counted. */
const MAX_ROWS = 100

const add = (origin: string): void => {
  if (clients.size < MAX_ROWS || clients.has(origin)) clients.set(origin, (clients.get(origin) ?? 0) + 1)
}

/** True for an object that was not noted before. */
const isNew = (object: object): boolean => {
  if (seen.has(object)) return false
  seen.add(object)
  return true
}

/** Notes a client that an app has asked for, and gives it on. */
export const count = ({ client, plain: isPlain }: Made): object => {
  if (!wanted) return client
  attach()
  asked++
  if (isPlain) plain++
  else if (isNew(client)) {
    built++
    const origin = Origins.originOf(String((client as { readonly baseURL?: unknown }).baseURL))
    if (origin !== undefined) add(origin)
  }
  return client
}

/** Notes the pooled fetch that carries requests of the global one. */
export const fetched = (origin: string, fetch: object): void => {
  if (!wanted) return
  attach()
  if (isNew(fetch)) add(origin)
}

/** Notes a request that the pool had no part in. */
export const passedBy = (origin: string, road: string): void => {
  if (!wanted) return
  attach()
  const key = `${origin} ${road}`
  const row = passed.get(key)
  if (row !== undefined) row.requests++
  else if (passed.size < MAX_ROWS) passed.set(key, { origin, road, requests: 1 })
}

const several = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`

let open = 0
let peak = 0

type Row = readonly [origin: string, road: string, clients: string, requests: string, sockets: string]

const rows = (): ReadonlyArray<Row> => {
  const all: Array<Row> = []
  const tallies = Tally.counts()
  for (const origin of new Set([...clients.keys(), ...tallies.keys()])) {
    const tally = tallies.get(origin)
    const made = String(clients.get(origin) ?? 0)
    all.push([origin, "pooled", made, String(tally?.requests ?? 0), String(tally?.peak ?? 0)])
  }
  for (const { origin, requests, road } of passed.values()) all.push([origin, road, "-", String(requests), "-"])
  return all
}

const head: Row = ["origin", "road", "clients", "requests", "sockets"]

/** Text to the left, numbers to the right. */
const table = (all: ReadonlyArray<Row>): string => {
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  const line = (row: Row) =>
    row.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
  return all.map((row) => `  ${line(row).join("  ").trimEnd()}\n`).join("")
}

/** Says nothing if no client was asked for, nor any provider: processes that have no SDK inherit the variable too. */
const tell = (): void => {
  const all = rows()
  if (!wanted || (asked === 0 && all.length === 0)) return
  wanted = false
  const others = plain === 0 ? "" : `, ${plain} left as they are`
  const made = asked === 0 ? "" : `${several(asked, "client")} asked for, ${built} built${others}`
  // Bun's fetch opens its sockets unseen.
  const sockets = "Bun" in globalThis ? "" : `at most ${several(peak, "socket")} open at once`
  process.stderr.write(`clientele: ${[made, sockets].filter((part) => part !== "").join("; ")}\n`)
  if (all.length > 0) process.stderr.write(table([head, ...all]))
}

export const start = (): void => {
  wanted = true
  Tally.start()
  const { connect } = Socket.prototype
  Socket.prototype.connect = function (this: Socket, ...args: Parameters<typeof connect>) {
    peak = Math.max(peak, ++open)
    this.once("close", () => open--)
    return connect.apply(this, args)
  } as typeof connect
  process.on("exit", tell)
}

let isAttached = false

/** Reports from a process that dies of a signal, which has no `exit`, once there is something to report. */
const attach = (): void => {
  if (isAttached) return
  isAttached = true
  Exit.attach({
    inFlight: () => Promise.resolve(0),
    park: (on) => {
      if (on) tell()
    },
    rest: () => Promise.resolve(),
    drainTimeout: 0
  })
}
