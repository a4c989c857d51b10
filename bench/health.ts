/**
 * Time for which a dead connection stays in use: one whose path passes nothing, and one to an address that its name has
 * left. Measured with shortened times, and computed for the default times.
 */
import { moveLocalhost, servePath, serveAt } from "../test/support/paths.ts"
import { makePool } from "../src/internal/transport/pool.ts"
import { type PoolOptions, resolve } from "../src/internal/transport/options.ts"
import { SocketBudget } from "../src/internal/transport/sockets.ts"
import type { WirePool } from "../src/internal/http/types.ts"
import { certificate } from "../src/internal/sandbox/certificate.ts"
import { type Bench, type Figure, median, spread } from "./bench.ts"

const PING = 1_000
const AGE = 3_000
/** Seconds that a loaded machine adds. */
const SLACK = 0.5

const timeouts = { headers: 60_000, body: 60_000 }

const text = async (pool: WirePool, path: string): Promise<string> => {
  const { body } = await pool.request({
    method: "GET",
    path,
    headers: {},
    body: undefined,
    signal: undefined,
    timeouts
  })
  let all = ""
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read())
    all += Buffer.from(chunk).toString()
  return all
}

const sleep = (ms: number): Promise<void> => new Promise((go) => setTimeout(go, ms))

/** Runs `use` with such a pool, and makes seconds of the milliseconds that it measures. */
const seconds = async (
  options: Partial<PoolOptions> & { readonly origin: string },
  use: (pool: WirePool) => Promise<number>
): Promise<number> => {
  const pool = makePool({ budget: new SocketBudget(512), ca: certificate.ca, ...options })
  try {
    return (await use(pool)) / 1000
  } finally {
    await pool.close(0)
  }
}

/** Until a request that was under way fails, and until one is answered again. */
const blackHole = async (pingInterval: number): Promise<{ readonly inFlight: number; readonly later: number }> => {
  const server = await serveAt("127.0.0.1")
  const path = await servePath(server.port)
  let later = NaN
  const inFlight = await seconds({ origin: `https://127.0.0.1:${path.port}`, pingInterval }, async (pool) => {
    const held = text(pool, "/held").catch(() => performance.now())
    await text(pool, "/")
    // Not always at the same time of the interval.
    await sleep(Math.random() * pingInterval)
    path.silence()
    const at = performance.now()
    const answered = async (): Promise<void> => {
      while (Number.isNaN(later)) {
        void text(pool, "/").then(
          () => (later = Number.isNaN(later) ? (performance.now() - at) / 1000 : later),
          () => undefined
        )
        await sleep(20)
      }
    }
    const [failed] = await Promise.all([held, answered()])
    return Number(failed) - at
  })
  await path.close()
  await server.close()
  return { inFlight, later }
}

/** Until the last request at an address that the name has left. */
const oldAddress = async (http2: boolean): Promise<number> => {
  let address = "127.0.0.1"
  const undo = moveLocalhost(() => address)
  const old = await serveAt("127.0.0.1")
  const next = await serveAt("127.0.0.2", old.port)
  const left = await seconds(
    { origin: `https://localhost:${old.port}`, http2, maxConnectionAge: AGE },
    async (pool) => {
      await text(pool, "/")
      const at = performance.now()
      address = "127.0.0.2"
      while (!(await text(pool, "/")).endsWith(address)) await sleep(5)
      return old.last - at
    }
  )
  undo()
  await old.close()
  await next.close()
  return left
}

const defaults = resolve({ origin: "https://localhost", budget: new SocketBudget(512) })
/** Pools look after their sockets this often, in seconds. */
const tick = 0.25

const figure = (
  what: string,
  values: ReadonlyArray<number>,
  atMost: number,
  byDefault: number
): ReadonlyArray<Figure> => [
  { what, value: median(values), unit: "s", atMost: atMost + SLACK, note: `runs ${spread(values, 2)}` },
  { what: `${what}, at the defaults`, value: byDefault, unit: "s", note: "computed, at the most" }
]

export const health: Bench = {
  name: "health",
  about: `seconds until a connection is left: pings every ${PING / 1000} s, sockets ${AGE / 1000} s old at the most`,
  run: async ({ runs }) => {
    const holes: Array<{ readonly inFlight: number; readonly later: number }> = []
    for (let i = 0; i < Math.max(3, runs); i++) holes.push(await blackHole(PING))
    const ages = async (http2: boolean): Promise<ReadonlyArray<number>> => {
      const all: Array<number> = []
      for (let i = 0; i < Math.min(3, runs); i++) all.push(await oldAddress(http2))
      return all
    }
    const ping = defaults.pingInterval / 1000
    const age = defaults.maxConnectionAge / 1000
    return [
      ...figure(
        "HTTP/2: in flight in a black hole",
        holes.map(({ inFlight }) => inFlight),
        (3 * PING) / 1000,
        3 * (ping + tick)
      ),
      ...figure(
        "HTTP/2: answered again after a black hole",
        holes.map(({ later }) => later),
        (2 * PING) / 1000,
        2 * (ping + tick)
      ),
      ...figure("HTTP/2: an address that the name has left", await ages(true), AGE / 1000, age + tick),
      ...figure("HTTP/1.1: an address that the name has left", await ages(false), AGE / 1000, age + tick)
    ]
  }
}
