/** Streams that are left, aborted, or that fail between two events of one read, by every way to every provider. */
import { afterAll, assert, describe, it } from "vitest"
import { left, type Outcome, runtime, type Way, ways } from "../support/everyWay.ts"
import { hold, type HeldProtocol, type HeldServer } from "../support/heldServer.ts"
import { until } from "../support/wait.ts"

afterAll(() => runtime.dispose())

const event = (content: string): string =>
  `data: ${JSON.stringify({ id: "1", choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`

const nothingLeft = async (): Promise<void> => {
  let count = 1
  for (let i = 0; i < 1_000 && count > 0; i++) {
    count = await left()
    if (count > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  assert.strictEqual(count, 0, "leases, requests and waiters that are left")
}

interface Reading {
  readonly server: HeldServer
  readonly seen: Array<string>
  /** Reads until `each` has enough. */
  readonly read: (each?: (text: string) => boolean | void, signal?: AbortSignal) => Promise<Outcome>
  /** Writes once the request has come. */
  readonly write: (text: string) => Promise<void>
}

const within = async (way: Way, protocol: HeldProtocol, run: (reading: Reading) => Promise<void>): Promise<void> => {
  const server = await hold(protocol)
  const seen: Array<string> = []
  const http2 = protocol === "h2" ? "prior-knowledge" : false
  try {
    await run({
      server,
      seen,
      read: (each, signal) =>
        way.stream(
          server.origin,
          { maxRetries: 0, transport: { http2, circuitFailures: false } },
          (text) => {
            seen.push(text)
            return each?.(text)
          },
          signal
        ),
      write: async (text) => {
        await until(() => server.requests() > 0)
        server.write(text)
      }
    })
    await nothingLeft()
  } finally {
    await server.close()
  }
}

const abc = event("a") + event("b") + event("c")

const suite = (way: Way, protocol: HeldProtocol): void =>
  describe(`a stream of ${way.provider} by ${way.name}, over ${protocol},`, () => {
    it("ends its request when it is left between two events of one read", () =>
      within(way, protocol, async ({ read, seen, server, write }) => {
        const ended = read(() => seen.length < 2)
        await write(abc)
        assert.deepStrictEqual(await ended, { type: "ended" })
        assert.deepStrictEqual(seen, ["a", "b"])
        await until(() => server.aborted() === 1)
      }))

    it("gives no event after an abort between two of one read, and ends its request", () =>
      within(way, protocol, async ({ read, seen, server, write }) => {
        const controller = new AbortController()
        const ended = read(() => {
          if (seen.length === 2) controller.abort()
        }, controller.signal)
        await write(abc)
        assert.deepStrictEqual(await ended, { type: "aborted" })
        // An SDK's own stream gives what it has read.
        if (!way.isSdkObject) assert.deepStrictEqual(seen, ["a", "b"])
        await until(() => server.aborted() === 1)
      }))

    it("gives the events before one that reports a failure, and then fails with its words", () =>
      within(way, protocol, async ({ read, seen, write }) => {
        const ended = read()
        await write(`${event("a")}${event("b")}data: {"error":{"message":"no more"}}\n\n${event("c")}`)
        const outcome = await ended
        assert.strictEqual(outcome.type, "failed")
        // An SDK's own stream fails with the SDK's own error.
        if (outcome.type === "failed" && !way.isSdkObject) {
          const told = { _tag: "RequestError", reason: "Server", detail: "no more", processed: "yes", attempts: 1 }
          assert.deepInclude({ ...outcome.error }, told)
        }
        assert.deepStrictEqual(seen, ["a", "b"])
      }))

    it("gives the events before it is cut, and then fails with Connection", () =>
      within(way, protocol, async ({ read, seen, server, write }) => {
        const ended = read(() => {
          if (seen.length === 1) server.cut()
        })
        await write(event("a") + event("b"))
        const outcome = await ended
        const error = outcome.type === "failed" ? { ...outcome.error } : {}
        assert.deepInclude(error, { _tag: "RequestError", reason: "Connection", processed: "yes" })
        assert.deepStrictEqual(seen, way.holdsBack ? ["a"] : ["a", "b"])
      }))

    it("gives an event that came in two reads once, and ends with [DONE]", () =>
      within(way, protocol, async ({ read, seen, server, write }) => {
        const ended = read()
        const cut = event("ä")
        await write(event("a") + event("b") + cut.slice(0, 30))
        await until(() => seen.length === (way.holdsBack ? 1 : 2))
        server.write(`${cut.slice(30)}data: [DONE]\n\n`)
        server.end()
        assert.deepStrictEqual(await ended, { type: "ended" })
        assert.deepStrictEqual(seen, ["a", "b", "ä"])
      }))
  })

for (const way of ways) for (const protocol of ["http/1.1", "h2"] as const) suite(way, protocol)
