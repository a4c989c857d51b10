/** Batches of a direct stream: one read of the socket each; ended, aborted and dropped anywhere within one. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import { openai } from "../../src/internal/direct/apis.ts"
import { Batches } from "../../src/internal/direct/batches.ts"
import * as CallContext from "../../src/internal/request/callContext.ts"
import { EventFilter } from "../../src/internal/http/bodyFilter.ts"
import { streamOf } from "../../src/internal/http/streamedResponse.ts"
import { BodyCore } from "../../src/internal/transport/body.ts"
import * as OpenAiApi from "../../src/OpenAiApi.ts"
import { getOpenAIApi, makeClients } from "../../src/Promise.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { eventually, until } from "../support/wait.ts"
import { body } from "./doors.ts"

const question = body() as never

const event = (content: string): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`

const contentOf = (chunk: OpenAiApiChunk): string => chunk.choices[0]?.delta.content ?? ""
type OpenAiApiChunk = Stream.Stream.Success<ReturnType<typeof OpenAiApi.chatStream>>

const reading = (): void => undefined

interface Held {
  readonly origin: string
  /** Writes to the response that is open. */
  readonly write: (text: string) => void
  readonly end: () => void
  readonly requests: () => number
  /** Responses whose reader has gone before their end. */
  readonly aborted: () => number
  readonly close: () => Promise<void>
}

/** A server that answers by hand. */
const hold = async (): Promise<Held> => {
  let open: http.ServerResponse | undefined
  let requests = 0
  let aborted = 0
  const server = http.createServer((request, response) => {
    request.resume()
    requests++
    open = response
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders()
    response.on("close", () => (aborted += response.writableFinished ? 0 : 1))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    write: (text) => open!.write(text),
    end: () => open!.end(),
    requests: () => requests,
    aborted: () => aborted,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

const held = Effect.acquireRelease(Effect.promise(hold), ({ close }) => Effect.promise(close))

const configOf = ({ origin }: Held) => OpenAiApi.config({ apiKey: Redacted.make("sk-1"), baseURL: origin })

const requested = (server: Held) =>
  eventually(
    Effect.sync(() => server.requests()),
    (requests) => requests === 1
  )

const nothingLeft = eventually(ClientMap.stats, ({ clients }) =>
  clients.every((one) => one.leases + one.inFlight + one.queued === 0)
)

describe("a direct stream", () => {
  it.live("gives in one chunk what one read of the socket brought", () =>
    Effect.gen(function* () {
      const server = yield* held
      const config = yield* configOf(server)
      const sizes: Array<number> = []
      const reading = yield* Effect.fork(
        Stream.runForEachChunk(OpenAiApi.chatStream(config, question), (chunk) =>
          Effect.sync(() => sizes.push(Chunk.size(chunk)))
        )
      )
      yield* requested(server)
      for (const [count, after] of [
        [3, [3]],
        [1, [3, 1]],
        [2, [3, 1, 2]]
      ] as const) {
        server.write(event("x").repeat(count))
        yield* eventually(
          Effect.sync(() => sizes.length),
          (length) => length === after.length
        )
        assert.deepStrictEqual(sizes, [...after])
      }
      server.write("data: [DONE]\n\n")
      yield* Fiber.join(reading)
      server.end()
      yield* nothingLeft
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  for (const protocol of ["http/1.1", "h2"] as const) {
    it.live(`gives fewer chunks than events where those come at once, over ${protocol}`, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ protocol, tokens: 200 })
        const config = yield* OpenAiApi.config({
          apiKey: Redacted.make("sk-1"),
          baseURL: sandbox.baseURL("openai"),
          transport: { http2: protocol === "h2" ? "prior-knowledge" : false }
        })
        const chunks = yield* Stream.runCollect(Stream.chunks(OpenAiApi.chatStream(config, question)))
        const events = Chunk.reduce(chunks, 0, (sum, chunk) => sum + Chunk.size(chunk))
        assert.strictEqual(events, 202)
        assert.isBelow(Chunk.size(chunks), 20)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  }

  it.live("gives in one batch the frames of one turn of the loop, and reads nothing that is not asked for", () =>
    Effect.promise(async () => {
      const core = new BodyCore({ pause: () => undefined, resume: () => undefined, giveUp: () => undefined, reading })
      const stream = streamOf(core.open(), new EventFilter({}, 1_000_000, undefined, false), (error) => error)
      const place = { provider: "openai", baseURL: "http://127.0.0.1" }
      const batches = new Batches(
        { place, attempts: 1, context: CallContext.make(undefined, undefined) },
        openai.events,
        new Response(stream)
      )
      const push = () => core.push(Buffer.from(event("x")))
      push()
      await new Promise((resolve) => setImmediate(resolve))
      assert.isFalse(core.touched)
      assert.lengthOf((await batches.next()) ?? [], 1)
      const next = batches.next()
      // As node:http2 does: each frame in a tick of its own, all in one turn of the loop.
      const tick = (left: number): void =>
        process.nextTick(() => {
          push()
          if (left > 1) tick(left - 1)
        })
      tick(2_000)
      const sizes = [(await next)?.length, (await batches.next())?.length, (await batches.next())?.length]
      // The most bytes of a batch, after which no frame is added to it.
      const most = Math.ceil(65_536 / event("x").length)
      assert.deepStrictEqual(sizes, [most, most, 2_000 - 2 * most])
      assert.isUndefined(core.pending, "no read is pending while nobody waits")
      core.finish(undefined)
      assert.isUndefined(await batches.next())
    })
  )

  it.live("gives the whole events of a read, and the rest of one that was cut when all of it has come", () =>
    Effect.gen(function* () {
      const server = yield* held
      const config = yield* configOf(server)
      const seen: Array<string> = []
      const reading = yield* Effect.fork(
        Stream.runForEach(OpenAiApi.chatStream(config, question), (chunk) =>
          Effect.sync(() => seen.push(contentOf(chunk)))
        )
      )
      yield* requested(server)
      const [one, other] = [event("ä"), event("z")]
      server.write(one + other.slice(0, 30))
      yield* eventually(
        Effect.sync(() => seen.join("")),
        (text) => text === "ä"
      )
      server.write(`${other.slice(30)}data: [DONE]\n\n`)
      yield* Fiber.join(reading)
      assert.deepStrictEqual(seen, ["ä", "z"])
      server.end()
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("ends with [DONE], although its server keeps the connection open", () =>
    Effect.gen(function* () {
      const server = yield* held
      const config = yield* configOf(server)
      const reading = yield* Effect.fork(Stream.runCollect(OpenAiApi.chatStream(config, question)))
      yield* requested(server)
      server.write(`${event("a")}data: [DONE]\n\n${event("never")}`)
      assert.strictEqual(Chunk.size(yield* Fiber.join(reading)), 1)
      yield* nothingLeft
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("gives no event after an interruption between two of one chunk, and ends its request", () =>
    Effect.gen(function* () {
      const server = yield* held
      const config = yield* configOf(server)
      const seen: Array<string> = []
      const second = yield* Deferred.make<void>()
      const reading = yield* Effect.fork(
        Stream.runForEach(OpenAiApi.chatStream(config, question), (chunk) => {
          seen.push(contentOf(chunk))
          return seen.length < 2 ? Effect.void : Effect.zipRight(Deferred.succeed(second, undefined), Effect.never)
        })
      )
      yield* requested(server)
      server.write(event("a") + event("b") + event("c"))
      yield* Deferred.await(second)
      yield* Fiber.interrupt(reading)
      yield* eventually(
        Effect.sync(() => server.aborted()),
        (aborted) => aborted === 1
      )
      assert.deepStrictEqual(seen, ["a", "b"])
      yield* nothingLeft
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("sends a request each time it is run, and none before", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const config = yield* OpenAiApi.config({ apiKey: Redacted.make("sk-1"), baseURL: sandbox.baseURL("openai") })
      const stream = OpenAiApi.chatStream(config, question)
      assert.strictEqual(sandbox.stats().requests, 0)
      const [one, other] = [yield* Stream.runCollect(stream), yield* Stream.runCollect(stream)]
      assert.strictEqual(Chunk.size(one), Chunk.size(other))
      assert.strictEqual(sandbox.stats().requests, 2)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})

const test = (name: string, run: (server: Held, clients: ReturnType<typeof makeClients>) => Promise<void>) =>
  it(name, async () => {
    const server = await hold()
    const clients = makeClients()
    try {
      await run(server, clients)
      await until(() => server.requests() > 0)
      let left = 1
      for (let i = 0; i < 1_000 && left > 0; i++) {
        const { clients: all } = await clients.stats()
        left = all.reduce((sum, one) => sum + one.leases + one.inFlight + one.queued, 0)
        if (left > 0) await new Promise((resolve) => setTimeout(resolve, 5))
      }
      assert.strictEqual(left, 0)
    } finally {
      await clients.close()
      await server.close()
    }
  })

const api = (server: Held, clients: ReturnType<typeof makeClients>) =>
  getOpenAIApi({ apiKey: "sk-1", baseURL: server.origin }, clients)

const answer = async (server: Held, text: string): Promise<void> => {
  await until(() => server.requests() > 0)
  server.write(text)
}

describe("a direct stream without Effect", () => {
  test("gives its events one by one, and ends its request when its loop is left", async (server, clients) => {
    const stream = api(server, clients).chatStream(question)
    const sent = answer(server, event("a") + event("b") + event("c"))
    const seen: Array<string> = []
    for await (const chunk of stream) {
      seen.push(contentOf(chunk))
      if (seen.length === 2) break
    }
    await sent
    assert.deepStrictEqual(seen, ["a", "b"])
    await until(() => server.aborted() === 1)
  })

  test("rejects with Aborted between two events of one read, and gives none after it", async (server, clients) => {
    const controller = new AbortController()
    const stream = api(server, clients).chatStream(question, { signal: controller.signal })
    const sent = answer(server, event("a") + event("b") + event("c"))
    const seen: Array<string> = []
    const error = await (async () => {
      for await (const chunk of stream) {
        seen.push(contentOf(chunk))
        if (seen.length === 2) controller.abort(new Error("enough"))
      }
    })().catch((error: unknown) => error)
    await sent
    assert.deepStrictEqual(seen, ["a", "b"])
    assert.deepInclude({ ...(error as object) }, { _tag: "RequestError", reason: "Aborted", provider: "openai" })
    await until(() => server.aborted() === 1)
  })

  test("rejects with Aborted while it waits for an event, and while it waits for its answer", async (server, clients) => {
    for (const text of [event("a"), undefined]) {
      const controller = new AbortController()
      const values = api(server, clients).chatStream(question, { signal: controller.signal })[Symbol.asyncIterator]()
      if (text !== undefined) {
        const sent = answer(server, text)
        await values.next()
        await sent
      }
      const next = values.next()
      controller.abort()
      const error = await next.catch((error: unknown) => error)
      assert.deepInclude({ ...(error as object) }, { _tag: "RequestError", reason: "Aborted" })
      assert.deepStrictEqual(await values.next(), { value: undefined, done: true })
    }
  })

  test("answers calls of `next` in their order, however many there are at once", async (server, clients) => {
    const values = api(server, clients).chatStream(question)[Symbol.asyncIterator]()
    const all = Promise.all([values.next(), values.next(), values.next(), values.next()])
    await answer(server, `${event("a")}${event("b")}`)
    server.write(`${event("c")}data: [DONE]\n\n`)
    const texts = (await all).map(({ done, value }) => (done === true ? "end" : contentOf(value)))
    assert.deepStrictEqual(texts, ["a", "b", "c", "end"])
    server.end()
  })

  test("gives its connection back when it is dropped in mid-stream and collected", async (server, clients) => {
    await (async () => {
      const values = api(server, clients).chatStream(question)[Symbol.asyncIterator]()
      const sent = answer(server, event("a") + event("b"))
      assert.strictEqual((await values.next()).done, false)
      await sent
    })()
    await until(() => {
      globalThis.gc!()
      return server.aborted() === 1
    })
  })

  test("fails with the provider's words after what came before an error event", async (server, clients) => {
    const stream = api(server, clients).chatStream(question)
    const sent = answer(server, `${event("a")}data: {"error":{"message":"no more"}}\n\n${event("b")}`)
    const seen: Array<string> = []
    const error = await (async () => {
      for await (const chunk of stream) seen.push(contentOf(chunk))
    })().catch((error: unknown) => error)
    await sent
    assert.deepStrictEqual(seen, ["a"])
    assert.deepInclude({ ...(error as object) }, { reason: "Server", detail: "no more", processed: "yes" })
  })
})
