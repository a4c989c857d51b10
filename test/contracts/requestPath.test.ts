import { describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as http from "node:http"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Credential from "../../src/Credential.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import { makeClients } from "../../src/Promise.ts"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { openai6 } from "../support/openai6.ts"
import { ask, type Subject, subjects } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const apiKey = Redacted.make("sk-test")

/** A server whose answers are written by hand. */
const serve = (answer: http.RequestListener) =>
  Effect.acquireRelease(
    Effect.async<{ readonly server: http.Server; readonly baseURL: string }>((resume) => {
      const server = http.createServer(answer).listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ server, baseURL: `http://127.0.0.1:${port}/v1` }))
      })
    }),
    ({ server }) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )

describe.concurrent("the body of an error", () => {
  it.live("that never ends is read to a bound, and cancelled", () =>
    Effect.gen(function* () {
      const { baseURL } = yield* serve((_, response) => {
        response.writeHead(400, { "content-type": "text/plain" })
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(64 * 1024, "x")));
        }
        response.on("drain", more)
        more()
      })
      const error = yield* Effect.flip(OpenAiClient.use({ apiKey, baseURL }, (client) => ask(client)))
      assert.strictEqual(error._tag === "RequestError" ? error.reason : error._tag, "BadRequest")
      assert.isBelow(error.message.length, 2 * 1024 * 1024)
      yield* eventually(ClientMap.stats, ({ clients, sockets }) => clients[0]?.inFlight === 0 && sockets === 0)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("that trickles does not hold up the retry", () =>
    Effect.gen(function* () {
      let requests = 0
      const { baseURL } = yield* serve((_, response) => {
        if (++requests > 1) return response.writeHead(404).end()
        response.writeHead(500, { "content-type": "text/plain" }).write("wait for it")
        const timer = setInterval(() => response.write("."), 20)
        response.on("close", () => clearInterval(timer))
        return undefined
      })
      const error = yield* Effect.flip(OpenAiClient.use({ apiKey, baseURL }, (client) => ask(client)))
      assert.deepInclude(error, { reason: "NotFound", attempts: 2 })
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})

/** The counts of retries that two attempts brought, asked for with these headers. */
const retryCounts = (subject: Pick<Subject, "ask" | "config">, headers: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const seen: Array<string | ReadonlyArray<string> | undefined> = []
    const { baseURL } = yield* serve((request, response) => {
      seen.push(request.headers["x-stainless-retry-count"])
      response.writeHead(seen.length === 1 ? 503 : 404).end()
    })
    const config = yield* subject.config({ baseURL: () => baseURL, ca: certificate.ca }, { headers })
    yield* Effect.flip(subject.ask(config))
    return seen
  }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)

describe.concurrent("the count of retries that SDKs send", () => {
  for (const subject of [...subjects, openai6]) {
    it.live(`is that of our own, by ${subject.name}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* retryCounts(subject), ["0", "1"])
        assert.deepStrictEqual(yield* retryCounts(subject, { "x-stainless-retry-count": "7" }), ["7", "7"])
      })
    )
  }

  it.live("is absent from requests without it", () =>
    Effect.gen(function* () {
      const seen: Array<ReadonlyArray<string>> = []
      const { baseURL } = yield* serve((request, response) => {
        seen.push(Object.keys(request.headers).filter((name) => name.startsWith("x-stainless")))
        response.writeHead(seen.length === 1 ? 503 : 404).end()
      })
      yield* Effect.promise(async () => {
        await using clients = makeClients()
        const fetch = clients.getFetch({ apiKey: "sk-test", baseURL })
        assert.strictEqual((await fetch(`${baseURL}/models`)).status, 404)
      })
      assert.deepStrictEqual(seen, [[], []])
    }).pipe(Effect.scoped)
  )
})

describe.concurrent("a token that expires while its request queues for quota", () => {
  it.live("is loaded anew", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: 1_400 })
      let loads = 0
      const credential = Credential.make({
        id: "short-lived",
        refreshBefore: 0,
        load: Effect.sync(() => ({
          secret: Redacted.make(`token-${++loads}`),
          expiresAt: new Date(Date.now() + (loads === 1 ? 1_000 : 60_000))
        }))
      })
      const config = yield* OpenAiClient.config({
        apiKey: credential,
        baseURL: sandbox.baseURL("openai"),
        quota: { maxConcurrency: 1 }
      })
      const call = OpenAiClient.use(config, (client) => ask(client))
      yield* Effect.all([call, call], { concurrency: "unbounded" })
      assert.deepStrictEqual(
        [...sandbox.stats().requestsByKey],
        [
          ["token-1", 1],
          ["token-2", 1]
        ]
      )
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("and gives its permit back if that fails", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: 1_400 })
      let loads = 0
      const credential = Credential.make({
        id: "fails-once",
        refreshBefore: 0,
        load: Effect.suspend(() =>
          ++loads === 2
            ? Effect.fail("vault is sealed")
            : Effect.succeed({
                secret: Redacted.make("token"),
                expiresAt: new Date(Date.now() + (loads === 1 ? 1_000 : 60_000))
              })
        )
      })
      const config = yield* OpenAiClient.config({
        apiKey: credential,
        baseURL: sandbox.baseURL("openai"),
        quota: { maxConcurrency: 1 }
      })
      const call = OpenAiClient.use(config, (client) => ask(client))
      const [first, second] = yield* Effect.all([Effect.exit(call), Effect.exit(call)], { concurrency: "unbounded" })
      assert.isTrue(Exit.isSuccess(first))
      assert.isTrue(Exit.isFailure(second))
      assert.notStrictEqual(yield* Effect.timeout(call, "30 seconds"), "")
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})

describe.concurrent("a client whose layer has been closed under it", () => {
  it.live("starts no request, and fails with the reason", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: 2_000 })
      const layerScope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(ClientLayer.layer(), layerScope)
      const began = yield* Deferred.make<void>()
      const agent = yield* OpenAiClient.use({ apiKey, baseURL: sandbox.baseURL("openai") }, async (client) => {
        const first = ask(client)
        Effect.runFork(Deferred.succeed(began, undefined))
        return [await first, await ask(client)]
      }).pipe(Effect.provide(context), Effect.flip, Effect.fork)
      yield* Deferred.await(began)
      yield* eventually(
        Effect.sync(() => sandbox.stats().inFlight),
        (inFlight) => inFlight === 1
      )
      yield* Scope.close(layerScope, Exit.void)
      assert.deepInclude(yield* Fiber.join(agent), { _tag: "PoolError", reason: "Closed" })
      assert.strictEqual(sandbox.stats().requests, 1, "the first was let finish")
    }).pipe(Effect.scoped)
  )
})

describe.concurrent("an upload", () => {
  it.live("finds the Response class on our fetch, where SDKs look before they ask for a data: URL", () =>
    Effect.gen(function* () {
      const client = yield* OpenAiClient.get({ apiKey, baseURL: "http://127.0.0.1:9/v1" })
      assert.strictEqual(Reflect.get(Reflect.get(client, "fetch") as object, "Response"), Response)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})

describe.concurrent("leases that wait at maxClients", () => {
  it.live("are counted", () =>
    Effect.gen(function* () {
      const held = OpenAiClient.get({ apiKey, baseURL: "http://127.0.0.1:9/v1" })
      const waits = Effect.scoped(OpenAiClient.get({ apiKey, baseURL: "http://127.0.0.1:9/v2" }))
      const waiter = yield* Effect.scoped(
        Effect.gen(function* () {
          yield* held
          const fiber = yield* Effect.forkDaemon(waits)
          yield* eventually(ClientMap.stats, ({ waiting }) => waiting === 1)
          return fiber
        })
      )
      yield* Fiber.join(waiter)
      assert.strictEqual((yield* ClientMap.stats).waiting, 0)
    }).pipe(Effect.provide(ClientLayer.layer({ maxClients: 1, acquireTimeout: Duration.seconds(10) })))
  )
})
