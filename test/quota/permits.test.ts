import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { assert } from "vitest"
import type { CommonOptions } from "../../src/ClientConfig.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import { question } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void

const fine: Handler = (_, response) => {
  response.writeHead(200, { "content-type": "application/json" })
  response.end(JSON.stringify({ choices: [], usage: { total_tokens: 1 } }))
}

const refuse: Handler = (_, response) => response.writeHead(429, { "retry-after-ms": "700" }).end()

/** Some of a body that has more. */
const begin = (response: http.ServerResponse, status: number): void => {
  response.writeHead(status, { "content-type": "application/json", "content-length": "1000" })
  response.write('{"error":')
}

/** A server with unusual responses: first the given handlers, then the usual one. */
const server = (...handlers: ReadonlyArray<Handler>) => {
  let seen = 0
  const running = http.createServer((request, response) => {
    request.resume().on("end", () => (handlers[seen++] ?? fine)(request, response))
  })
  const listening = Effect.async<string>((resume) => {
    running.listen(0, "127.0.0.1", () => {
      const { port } = running.address() as AddressInfo
      resume(Effect.succeed(`http://127.0.0.1:${port}/v1`))
    })
  })
  const close = Effect.sync(() => {
    running.close()
    running.closeAllConnections()
  })
  return Effect.map(
    Effect.acquireRelease(listening, () => close),
    (baseURL) => ({ baseURL, seen: () => seen })
  )
}

const configOf = (baseURL: string, options: CommonOptions = {}) =>
  OpenAiClient.config({
    apiKey: Redacted.make("sk-test"),
    baseURL,
    maxRetries: 0,
    quota: { maxConcurrency: 1 },
    ...options
  })

type Config = Effect.Effect.Success<ReturnType<typeof configOf>>

const ask = (config: Config) => OpenAiClient.use(config, (client) => client.chat.completions.create(question("hi")))

const odd: Readonly<Record<string, Handler>> = {
  "an error whose body is cut": (_, response) => {
    begin(response, 500)
    setTimeout(() => response.destroy(), 20)
  },
  "an error whose body never ends": (_, response) => begin(response, 429),
  "an answer whose body is cut": (_, response) => {
    begin(response, 200)
    setTimeout(() => response.destroy(), 20)
  },
  "a status that there is not": (_, response) => response.writeHead(700, { "content-length": "0" }).end(),
  "an answer without a body": (_, response) => response.writeHead(204).end(),
  "a redirect to elsewhere": (_, response) => response.writeHead(307, { location: "http://localhost:1/" }).end(),
  "a redirect without end": (_, response) => response.writeHead(307, { location: "/v1/chat/completions" }).end(),
  "no answer": (request) => request.socket.destroy(),
  "no end of an answer": (_, response) => begin(response, 200)
}

describe.concurrent("a permit", () => {
  for (const [name, handler] of Object.entries(odd)) {
    it.live(`is given back after ${name}`, () =>
      Effect.gen(function* () {
        const { baseURL, seen } = yield* server(
          ...Array.from({ length: name.endsWith("without end") ? 6 : 1 }, () => handler)
        )
        const config = yield* configOf(baseURL, { bodyTimeout: 100 })
        yield* Effect.ignore(ask(config))
        const before = seen()
        yield* ask(config)
        assert.strictEqual(seen(), before + 1)
        yield* eventually(
          ClientMap.stats,
          ({ clients, quotas }) => quotas[0]?.inFlight === 0 && clients[0]?.inFlight === 0
        )
      }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()))
    )
  }

  it.live("is not held for long by an error whose body never ends", () =>
    Effect.gen(function* () {
      const { baseURL, seen } = yield* server((_, response) => begin(response, 500))
      // Three seconds for its body; a body of any other answer may take minutes.
      yield* Effect.timeout(ask(yield* configOf(baseURL, { maxRetries: 1 })), "15 seconds")
      assert.strictEqual(seen(), 2)
    }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()))
  )

  it.live("is given back when an agent is interrupted while it reads an error", () =>
    Effect.gen(function* () {
      const { baseURL, seen } = yield* server((_, response) => begin(response, 500))
      const config = yield* configOf(baseURL)
      const agent = yield* Effect.fork(ask(config))
      yield* eventually(Effect.sync(seen), (count) => count === 1)
      yield* Effect.sleep(50)
      yield* Fiber.interrupt(agent)
      yield* ask(config)
      assert.strictEqual(seen(), 2)
    }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()))
  )

  it.live("is void if the gate closes before there is a socket", () =>
    Effect.gen(function* () {
      const at: Array<number> = []
      const note =
        (handler: Handler): Handler =>
        (request, response) => {
          at.push(performance.now())
          handler(request, response)
        }
      let answer: (() => void) | undefined
      const { baseURL } = yield* server(
        note((request, response) => (answer = () => refuse(request, response))),
        ...Array.from({ length: 20 }, () => note(fine))
      )
      const config = yield* configOf(baseURL, { quota: {}, maxRetries: 1, transport: { maxConnections: 1 } })
      const agents = yield* Effect.fork(
        Effect.forEach(Array.from({ length: 10 }), () => ask(config), { concurrency: "unbounded" })
      )
      // One has the socket, and nine have all that they need but that.
      yield* eventually(
        ClientMap.stats,
        ({ clients, quotas }) => quotas[0]?.inFlight === 10 && clients[0]?.queued === 9 && answer !== undefined
      )
      assert.strictEqual(at.length, 1)
      const refused = performance.now()
      answer?.()
      yield* Fiber.join(agents)
      assert.strictEqual(at.length, 11)
      assert.isAtLeast(at[1]! - refused, 690)
    }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()))
  )

  it.live("of a request that is aborted while it waits for a socket costs no budget", () =>
    Effect.gen(function* () {
      const { baseURL, seen } = yield* server(() => {})
      const config = yield* configOf(baseURL, {
        quota: { tokensPerMinute: 1_000_000 },
        transport: { maxConnections: 1 }
      })
      const first = yield* Effect.fork(ask(config))
      yield* eventually(Effect.sync(seen), (count) => count === 1)
      const controller = new AbortController()
      const second = yield* Effect.fork(
        // A tenth of a minute's tokens.
        OpenAiClient.use(config, (client) =>
          client.chat.completions.create(question("word".repeat(100_000)), { signal: controller.signal })
        )
      )
      const tokensLeft = Effect.map(ClientMap.stats, ({ quotas }) => quotas[0]?.models[0]?.tokensLeft ?? 0)
      yield* eventually(tokensLeft, (left) => left < 950_000)
      yield* eventually(ClientMap.stats, ({ quotas }) => quotas[0]?.inFlight === 2)
      controller.abort()
      assert.strictEqual((yield* Effect.exit(Fiber.join(second)))._tag, "Failure")
      assert.isAbove(yield* tokensLeft, 990_000)
      yield* Fiber.interrupt(first)
    }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()))
  )
})
