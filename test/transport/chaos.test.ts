import type { IncomingMessage, ServerResponse } from "node:http"
import { expect, test } from "vitest"
import { SocketBudget } from "../../src/internal/transport/sockets.ts"
import { WireError } from "../../src/internal/wire/errors.ts"
import type { WirePool } from "../../src/internal/http/types.ts"
import { ask, pool, readAll, serveH1, serveH2, serveTls, sleep, timeouts, until, within } from "./harness.ts"

/** A small generator with a seed, so that a bad run can be run again. */
const random = (seed: number) => (): number => {
  seed = (seed * 1664525 + 1013904223) % 2 ** 32
  return seed / 2 ** 32
}

/** A server that does, by turns, everything that servers do. */
const moody =
  (dice: () => number) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    request.on("error", () => undefined)
    response.on("error", () => undefined)
    request.resume()
    const mood = dice()
    if (mood < 0.03) request.socket?.destroy()
    else if (mood < 0.06) {
      response.write("half")
      setTimeout(() => request.socket?.destroy(), 5)
    } else if (mood < 0.1) setTimeout(() => response.end("late"), 120)
    else if (mood < 0.15) response.end(Buffer.alloc(600_000))
    else if (mood < 0.2) {
      response.write("drip ")
      setTimeout(() => response.end("drop"), 10)
    } else request.on("end", () => response.end("ok"))
  }

const client = async (it: WirePool, dice: () => number, odd: Array<unknown>): Promise<void> => {
  const mood = dice()
  const abort = new AbortController()
  if (mood < 0.2) setTimeout(() => abort.abort(), dice() * 30)
  const body =
    mood < 0.5
      ? undefined
      : mood < 0.9
        ? "text"
        : {
            length: undefined,
            open: async function* () {
              for (let i = 0; i < 5; i++) {
                await sleep(1)
                if (mood > 0.98) throw new Error("upload")
                yield Buffer.alloc(1_000)
              }
            }
          }
  try {
    const response = await ask(it, {
      method: body === undefined ? "GET" : "POST",
      body,
      signal: dice() < 0.5 || mood < 0.2 ? abort.signal : undefined,
      timeouts: { ...timeouts, headers: dice() < 0.1 ? 40 : 5_000 },
      deadline: within(dice() < 0.1 ? 60 : 6_000)
    })
    const how = dice()
    if (how < 0.7) await readAll(response.body)
    else if (how < 0.8) await response.body.read()
    else if (how < 0.9) response.body.cancel()
  } catch (error) {
    if (!(error instanceof WireError)) odd.push(error)
  }
}

for (const seed of [1, 2, 3]) {
  test(`whatever servers and callers do, every request settles and nothing is left (seed ${seed})`, async () => {
    const dice = random(seed)
    const handler = moody(dice)
    const budget = new SocketBudget(12)
    const servers = await Promise.all([
      serveH1(handler),
      serveTls(handler),
      serveH2(handler as unknown as Parameters<typeof serveH2>[0], {
        settings: { maxConcurrentStreams: 20 }
      })
    ])
    const pools = servers.map(({ origin }) => pool(origin, { budget, maxConnections: 6, unreadTimeout: 100 }))
    const odd: Array<unknown> = []
    const all = pools.flatMap((it) =>
      Array.from({ length: 300 }, () => sleep(dice() * 800).then(() => client(it, dice, odd)))
    )
    await Promise.all(all)
    expect(odd).toEqual([])
    for (const it of pools) expect(it.stats().queued).toBe(0)
    await Promise.all(pools.map((it) => it.close(300)))
    for (const it of pools) expect(it.stats()).toMatchObject({ sockets: 0, inFlight: 0, queued: 0 })
    expect(budget.held()).toBe(0)
    await until(() => servers.every(({ open }) => open === 0))
  })
}
