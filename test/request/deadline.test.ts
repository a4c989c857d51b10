/** The deadline of a whole request: over whatever it waits for, at whichever door, and what is said when it has passed. */
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as PlatformHttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { assert } from "vitest"
import { RequestError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Credential from "../../src/Credential.ts"
import * as HttpClient from "../../src/HttpClient.ts"
import * as Deadline from "../../src/internal/request/deadline.ts"
import { live } from "../../src/internal/util/ticker.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import { makeClients } from "../../src/Promise.ts"
import * as ClientMapTest from "../../src/testing/ClientMapTest.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { ask as asked, rejection, subjects as doors } from "../promise/doors.ts"
import { question, subjects, type Subject } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

const run = <A, E>(effect: Effect.Effect<A, E, ClientMap.ClientMap | Scope.Scope>) =>
  effect.pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)

const status = (code: number, headers: Readonly<Record<string, string>> = {}, times?: number): Sandbox.FaultRule => ({
  ...(times !== undefined && { times }),
  fault: { type: "status", status: code, headers }
})

const silence: Sandbox.FaultRule = { fault: { type: "stall", at: "headers" } }

/** Ours, wherever it is on the way down. */
const ours = (error: unknown): RequestError => {
  let cause = error
  for (let depth = 0; depth < 6 && !(cause instanceof RequestError); depth++) cause = (cause as Error).cause
  assert.instanceOf(cause, RequestError)
  return cause as RequestError
}

const facts = (error: unknown) => {
  const { attempts, processed, reason } = ours(error)
  return [reason, processed, attempts]
}

const http = {
  road: "HTTP/1.1",
  make: (faults: ReadonlyArray<Sandbox.FaultRule>) => Sandbox.make({ protocol: "http/1.1", faults })
}
const http2 = {
  road: "HTTP/2",
  make: (faults: ReadonlyArray<Sandbox.FaultRule>) => Sandbox.make({ protocol: "h2", tls: true, faults })
}

type Ask = (
  sandbox: Sandbox.Sandbox,
  options: { readonly deadline: number }
) => Effect.Effect<unknown, never, ClientMap.ClientMap | Scope.Scope>

const apiKey = "sk-test"

/** Calls through every entry point, each ending with its failure. */
const everyDoor: ReadonlyArray<readonly [name: string, ask: Ask]> = [
  ...subjects.flatMap((subject): ReadonlyArray<readonly [string, Ask]> => [
    [
      `use of ${subject.name}`,
      (sandbox, options) =>
        Effect.orDie(Effect.flatMap(subject.config(sandbox, options), (config) => Effect.flip(subject.ask(config))))
    ],
    [
      `a stream of ${subject.name}`,
      (sandbox, options) =>
        Effect.orDie(
          Effect.flatMap(subject.config(sandbox, options), (config) =>
            Effect.flip(Stream.runDrain(subject.stream(config)))
          )
        )
    ]
  ]),
  ...doors.map(({ get, name }): readonly [string, Ask] => [
    `the getter of ${name}`,
    ({ ca, origin }, options) =>
      Effect.promise(() => rejection(asked(get(origin, { ...options, transport: { ca } }, clients))))
  ]),
  [
    "getFetch",
    ({ baseURL, ca }, options) =>
      Effect.promise(() => {
        const fetch = clients.getFetch({ apiKey, baseURL: baseURL("openai"), ...options, transport: { ca } })
        const body = JSON.stringify(question("hi"))
        const headers = { "content-type": "application/json", authorization: `Bearer ${apiKey}` }
        return rejection(fetch(`${baseURL("openai")}/chat/completions`, { method: "POST", body, headers }))
      })
  ],
  [
    "an HttpClient",
    ({ baseURL, ca }, options) =>
      HttpClientRequest.post(`${baseURL("openai")}/chat/completions`).pipe(
        HttpClientRequest.bearerToken(apiKey),
        HttpClientRequest.bodyUnsafeJson(question("hi")),
        PlatformHttpClient.execute,
        Effect.flip,
        Effect.orDie,
        Effect.provide(HttpClient.layer({ ...options, transport: { ca } }))
      )
  ],
  [
    "a model",
    ({ baseURL, ca }, options) => {
      const client = { apiKey: Redacted.make(apiKey), baseURL: baseURL("openai"), ...options, transport: { ca } }
      return LanguageModel.generateText({ prompt: "hi" }).pipe(
        Effect.flip,
        Effect.orDie,
        Effect.provide(OpenAiModel.model("test-model", { client }))
      )
    }
  ]
]

const clients = makeClients()

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length

describe.concurrent("a request's deadline", () => {
  for (const { make, road } of [http, http2]) {
    it.live(`runs over its retries, through every entry point over ${road}, and reports the last failure`, () =>
      run(
        Effect.forEach(
          everyDoor,
          ([name, ask]) =>
            Effect.gen(function* () {
              const sandbox = yield* make([status(500, { "retry-after-ms": "1" }, 1), silence])
              const error = yield* ask(sandbox, { deadline: 6_000 })
              assert.deepStrictEqual(facts(error), ["Timeout", "maybe", 2], name)
              assert.match(
                ours(error).message,
                /not finished within its deadline of 6000 ms; before that: Server 500: /
              )
              // An SDK's error may stand between: the last failure is the deepest of ours.
              let cause: unknown = error
              let deepest: unknown
              for (; cause instanceof Error; cause = cause.cause) if (cause instanceof RequestError) deepest = cause
              assert.deepInclude({ ...(deepest as RequestError) }, { reason: "Server", status: 500 }, name)
              yield* eventually(
                Effect.sync(() => sandbox.stats()),
                ({ inFlight, log }) => inFlight === 0 && log.at(-1)?.outcome === "aborted"
              )
            }),
          { concurrency: "unbounded", discard: true }
        )
      )
    )
  }

  it.live("passes for one that waits for a socket, which was not sent", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* http.make([silence])
        const transport = { maxConnections: 1 }
        const first = yield* Effect.fork(openai.ask(yield* openai.config(sandbox, { transport })))
        yield* eventually(
          Effect.sync(() => sandbox.stats().inFlight),
          (inFlight) => inFlight === 1
        )
        const second = yield* openai.config(sandbox, { transport, deadline: 150 })
        assert.deepStrictEqual(facts(yield* Effect.flip(openai.ask(second))), ["Timeout", "no", 1])
        assert.strictEqual((yield* ClientMap.stats).clients[0]?.queued, 0)
        yield* Fiber.interrupt(first)
      })
    )
  )

  it.live("passes for one that waits for its quota, which was not sent", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* http.make([silence])
        const quota = { maxConcurrency: 1 }
        const first = yield* Effect.fork(openai.ask(yield* openai.config(sandbox, { quota })))
        yield* eventually(ClientMap.stats, ({ quotas }) => quotas[0]?.inFlight === 1)
        const config = yield* openai.config(sandbox, { quota, deadline: 150 })
        assert.deepStrictEqual(facts(yield* Effect.flip(openai.ask(config))), ["Timeout", "no", 0])
        assert.strictEqual((yield* ClientMap.stats).quotas[0]?.queued, 0)
        yield* Fiber.interrupt(first)
      })
    )
  )

  it.live("passes for one that waits for its credential", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* http.make([])
        const credential = Credential.make({ id: "slow", load: Effect.never })
        const options = { apiKey: credential, baseURL: sandbox.baseURL("openai"), deadline: 150 }
        const error = yield* Effect.flip(OpenAiClient.use(options, (client) => client.models.list()))
        assert.deepStrictEqual(facts(error), ["Timeout", "no", 0])
        assert.strictEqual(sandbox.stats().requests, 0)
      })
    )
  )

  it.live("passes for one whose own body does not come to an end", () =>
    Effect.gen(function* () {
      const { baseURL } = yield* http.make([])
      const fetch = clients.getFetch({ apiKey, baseURL: baseURL("openai"), deadline: 150 })
      const { readable } = new TransformStream<Uint8Array>()
      const init = { method: "POST", body: readable, duplex: "half" } as const
      const request = new Request(`${baseURL("openai")}/chat/completions`, init)
      const error = yield* Effect.promise(() => rejection(fetch(request)))
      assert.strictEqual(facts(error)[0], "Timeout")
    }).pipe(Effect.scoped)
  )

  it.live("is not waited for in vain: instead of a retry beyond it the failure is returned at once", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* http.make([])
        for (const code of [503, 429]) {
          sandbox.resetStats()
          sandbox.faults.replace([status(code, { "retry-after": "30" })])
          const config = yield* openai.config(sandbox, { key: `sk-${code}`, deadline: 10_000, maxRetries: 5 })
          const began = performance.now()
          const error = ours(yield* Effect.flip(openai.ask(config)))
          assert.deepStrictEqual([error.status, error.attempts], [code, 1])
          assert.strictEqual(Duration.toSeconds(error.retryAfter!), 30)
          // Nor does the next one wait for a gate that opens too late for it.
          if (code === 429) {
            const next = ours(yield* Effect.flip(openai.ask(config)))
            assert.deepStrictEqual(facts(next), ["RateLimited", "no", 0])
          }
          assert.isBelow(performance.now() - began, 9_000)
          assert.strictEqual(sandbox.stats().requests, 1)
        }
      })
    )
  )

  it.effect("goes by the test's clock where one is", () =>
    Effect.gen(function* () {
      const { requests } = yield* ClientMapTest.ClientMapTest
      const ask = OpenAiClient.use({ apiKey: Redacted.make(apiKey), deadline: "1 minute", maxRetries: 9 }, (client) =>
        client.chat.completions.create(question("hi"))
      )
      const began = yield* Effect.fork(Effect.flip(ask))
      yield* TestClock.adjust("8 seconds")
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 20)))
      assert.strictEqual(requests.length, 2)
      assert.isTrue(Option.isNone(yield* Fiber.poll(began)))
      yield* TestClock.adjust("51 seconds")
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 20)))
      assert.isTrue(Option.isNone(yield* Fiber.poll(began)))
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(began)
      assert.deepStrictEqual(facts(error), ["Timeout", "maybe", 2])
      assert.match(ours(error).message, /deadline of 60000 ms; before that: Server 500: scripted/)
    }).pipe(
      Effect.provide(
        ClientMapTest.layer({
          script: ({ index }) => (index === 0 ? ClientMapTest.error(500) : new Promise<never>(() => undefined))
        })
      )
    )
  )

  it("is a timer that keeps no process alive, and none where there is no deadline", () => {
    const before = timers()
    const deadline = Deadline.make(60_000, live)
    assert.strictEqual(timers(), before)
    deadline?.cancel()
    assert.isUndefined(Deadline.make(Infinity, live))
  })
})
