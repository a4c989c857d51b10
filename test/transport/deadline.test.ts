/** Deadlines of whole requests that pass in every state of the pool. */
import { expect, test } from "vitest"
import { ask, pool, serveH1, serveH2, sleep, text, until, verdict, within } from "./harness.ts"

/** Milliseconds over which failures go on that open a circuit, however slow they are. */
const STREAK = 1_400

for (const [name, serve] of [
  ["HTTP/1.1", serveH1],
  ["HTTP/2", serveH2]
] as const) {
  test(`${name}: a request whose deadline has passed is not sent, and one that is under way is aborted`, async () => {
    let came = 0
    let aborted = 0
    const server = await serve((request, response) => {
      if (request.url === "/answered") return void response.end("ok")
      came++
      response.on("close", () => aborted++)
    })
    const it = pool(server.origin)
    await text(it, { path: "/answered" })
    const deadline = within(300)
    expect(await verdict(ask(it, { deadline }))).toBe("Timeout, maybe")
    expect(await verdict(ask(it, { deadline }))).toBe("Timeout, no")
    await until(() => aborted === 1 && it.stats().inFlight === 0)
    expect(came).toBe(1)
  })

  test(`${name}: a deadline counts against the server only if most of it passed in waiting for a response`, async () => {
    const server = await serve((request, response) => {
      if (request.url === "/answered") response.end("ok")
    })
    const it = pool(server.origin, { circuitFailures: 2 })
    await text(it, { path: "/answered" })
    const failsTwice = async (ms: number, before: number): Promise<void> => {
      for (const pause of [0, STREAK]) {
        await sleep(pause)
        const deadline = within(ms)
        await sleep(before)
        expect(await verdict(ask(it, { deadline }))).toBe("Timeout, maybe")
      }
    }
    await failsTwice(1_000, 750)
    expect(it.stats().openCircuits).toBe(0)
    await failsTwice(250, 0)
    expect(it.stats().openCircuits).toBe(1)
  })
}

test("a deadline passes for a request in the queue, which leaves no trace there", async () => {
  const server = await serveH1((_, response) => setTimeout(() => response.end("ok"), 600))
  const it = pool(server.origin, { maxConnections: 1 })
  const first = text(it)
  expect(await verdict(ask(it, { deadline: within(100) }))).toBe("Timeout, no")
  expect(it.stats()).toMatchObject({ queued: 0, inFlight: 1 })
  expect(await first).toBe("ok")
})

test("a request that has ended leaves its deadline", async () => {
  const server = await serveH1((_, response) => response.end("ok"))
  const it = pool(server.origin)
  const deadline = within(60_000)
  expect(await text(it, { deadline })).toBe("ok")
  expect(deadline.underway).toBeUndefined()
  deadline.cancel()
})
