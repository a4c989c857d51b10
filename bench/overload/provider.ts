/** A provider in a process of its own: responds by a law, and logs the arrival and the verdict of each request. */
import * as http from "node:http"
import * as http2 from "node:http2"
import type { Socket } from "node:net"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import { input } from "../child.ts"
import { type Fault, faultOf, latencyOf } from "./law.ts"
import { absolute, HANG, type ProviderLog, type ProviderWork, RESET, type Start } from "./protocol.ts"
import { type Request, type Response, reply } from "./reply.ts"

const HOST = "127.0.0.1"
const BACKLOG = 4096
const FAULT_AFTER_MS = 20

const { law, port, protocol, seed } = input<ProviderWork>()
const log = { at: [] as Array<number>, row: [] as Array<number>, status: [] as Array<number> }
const attempts = new Map<number, number>()
const sockets = new Set<Socket>()
const connections = new WeakMap<object, number>()
let opened = 0
let started = Infinity
let inFlight = 0
/** Work that waits for one of `law.slots`. */
const queue: Array<() => void> = []
let busy = 0

const connectionOf = (request: Request): number => {
  const carrier = "stream" in request ? (request.stream.session ?? request) : request.socket
  const known = connections.get(carrier)
  if (known !== undefined) return known
  connections.set(carrier, opened)
  return opened++
}

const fail = (fault: Fault, request: Request, response: Response): void => {
  if (fault.kind === "hang") return
  setTimeout(() => {
    if (fault.kind === "status") reply.status(response, fault.status, fault.retryAfter)
    else reply.reset(request)
  }, fault.after ?? FAULT_AFTER_MS)
}

const work = (latency: number, request: Request, response: Response): void => {
  busy++
  reply.answer(response, latency, request.headers["x-stream"] !== undefined, () => {
    busy--
    inFlight--
    queue.shift()?.()
  })
}

const handle = (request: Request, response: Response): void => {
  request.resume()
  request.on("error", () => {})
  response.on("error", () => {})
  const row = Number(request.headers["x-row"])
  const attempt = (attempts.get(row) ?? 0) + 1
  attempts.set(row, attempt)
  const at = absolute() - started
  const model = String(request.headers["x-model"])
  const arrival = { row, attempt, model, at, nth: log.at.length + 1, connection: connectionOf(request), inFlight }
  const fault = faultOf(law, seed, arrival)
  log.at.push(at)
  log.row.push(row)
  log.status.push(
    fault === undefined ? 200 : fault.kind === "status" ? fault.status : fault.kind === "reset" ? RESET : HANG
  )
  if (fault !== undefined) return fail(fault, request, response)
  inFlight++
  const latency = latencyOf(law, seed, arrival)
  if (law.slots !== undefined && busy >= law.slots) queue.push(() => work(latency, request, response))
  else work(latency, request, response)
}

const makeServer = (): http.Server | http2.Http2SecureServer => {
  if (protocol === "http/1.1") return http.createServer({ keepAliveTimeout: 65_000 }, handle)
  const { cert, key } = certificate
  const settings = { maxConcurrentStreams: 100 }
  const server = http2.createSecureServer({ cert, key, allowHTTP1: true, settings }, handle)
  return server.on("session", (session) => session.on("error", () => {}))
}

const server = makeServer()
server.on("connection", (socket: Socket) => {
  sockets.add(socket)
  socket.on("error", () => {}).on("close", () => sockets.delete(socket))
})
server.on("tlsClientError", () => {})

const listen = (onListening?: () => void): void => {
  server.listen({ host: HOST, port, backlog: BACKLOG }, onListening)
}

const destroyAll = (): void => {
  for (const socket of sockets) socket.destroy()
}

const at = (ms: number, act: () => void): void => {
  setTimeout(act, Math.max(0, started + ms - absolute()))
}

const schedule = (): void => {
  for (const ms of law.drops ?? []) at(ms, destroyAll)
  if (law.refuse === undefined) return
  at(law.refuse.from, () => {
    server.close()
    destroyAll()
  })
  at(law.refuse.until, () => listen())
}

server.once("error", (error: NodeJS.ErrnoException) => process.send?.({ failed: error.code }, () => process.exit(0)))
listen(() => {
  server.removeAllListeners("error").on("error", () => {})
  process.send?.({ port })
})
process.on("message", (message: Start | { readonly stop: true }) => {
  if ("start" in message) {
    started = message.start
    return schedule()
  }
  const output: ProviderLog = { ...log, connections: opened }
  process.send?.(output, () => process.exit(0))
})
process.on("disconnect", () => process.exit(1))
