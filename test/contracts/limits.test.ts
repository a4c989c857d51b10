/** The limits as agents meet them: on every door, of every provider. What each counts is tested where it is counted. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import type { ClientConfig } from "../../src/ClientConfig.ts"
import { PoolError, RequestError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import { type Clients, makeClients } from "../../src/Promise.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { ask, hello, rejection, subjects as doors } from "../promise/doors.ts"
import { question, subjects } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const roads = [
  { name: "HTTP/1.1", sandbox: { protocol: "http/1.1" } },
  { name: "HTTP/2", sandbox: { protocol: "both", tls: true } }
] as const

const set: Effect.Effect<Clients, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => makeClients()),
  (clients) => Effect.promise(() => clients.close())
)

const drain = async (stream: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of stream);
}

for (const road of roads) {
  it.scopedLive(`an answer over ${road.name} that drips for ever ends at its deadline, through every entry point`, () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ ...road.sandbox, tokens: 1_000 })
      sandbox.faults.push({ fault: { type: "slowDrip", bytes: 20, every: 10 } })
      const clients = yield* set
      const options = { deadline: 250, maxRetries: 0, transport: { ca: sandbox.ca } }
      const deadline = /not finished within its deadline of 250 ms/
      const late = (error: unknown) => {
        assert.instanceOf(error, RequestError)
        assert.strictEqual(error.reason, "Timeout")
        assert.match(error.message, deadline)
      }
      const effects = subjects.map((subject) =>
        Effect.gen(function* () {
          const config = yield* subject.config(sandbox, options)
          late(yield* Effect.flip(subject.ask(config)))
          late(yield* Effect.flip(Stream.runDrain(subject.stream(config))))
        })
      )
      const promises = doors.map(({ get, sdk }) =>
        Effect.promise(async () => {
          const client = get(sandbox.origin, options, clients)
          for (const broken of [ask(client), client.chat.completions.create({ ...hello, stream: true }).then(drain)]) {
            const error = await rejection(broken)
            assert.instanceOf(error, sdk.APIConnectionTimeoutError)
            late(error["cause"])
          }
        })
      )
      const fetches = Effect.promise(async () => {
        const baseURL = sandbox.baseURL("openai")
        const fetch = clients.getFetch({ apiKey: "sk", baseURL, ...options })
        for (const stream of [false, true]) {
          const body = JSON.stringify({ ...question("hi"), stream })
          const headers = { "content-type": "application/json", authorization: "Bearer sk" }
          const sent = fetch(`${baseURL}/chat/completions`, { method: "POST", body, headers })
          const error = await rejection(sent.then((response) => response.text()))
          assert.strictEqual(error["reason"], "Timeout")
          assert.match(error.message, deadline)
        }
      })
      yield* Effect.all([...effects, ...promises, fetches], { concurrency: "unbounded", discard: true })
      yield* eventually(
        Effect.sync(() => sandbox.stats().inFlight),
        (inFlight) => inFlight === 0
      )
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
}

const full = {
  "as many wait for a socket as may": {
    options: { transport: { maxConnections: 1, maxQueue: 1 } },
    says: /1 requests wait for a socket .*transport\.maxQueue \(1\)/
  },
  "as many bytes wait for a socket as may": {
    options: { transport: { maxConnections: 1, maxQueueBytes: 1 } },
    says: /1 requests with \d+ bytes wait for a socket .*transport\.maxQueueBytes \(1\)/
  },
  "as many wait for quota as may": {
    options: { quota: { maxConcurrency: 1, maxWaiters: 1 } },
    says: /1 requests wait for the quota .*quota\.maxWaiters \(1\)/
  }
} as const

const queued = ({ clients }: ClientMap.Stats) => clients[0]?.queued
const inFlight = ({ clients }: ClientMap.Stats) => clients[0]?.inFlight

/** For as long as it takes to see the next one wait, also where many others have the CPU. */
const stall = { type: "stall", at: "headers", ms: 2_000 } as const

describe.concurrent("one request more is refused at once, unsent, without effect on others, where", () => {
  for (const [what, { options, says }] of Object.entries(full)) {
    for (const subject of subjects) {
      it.scopedLive(`${what}: ${subject.name}`, () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({ protocol: "http/1.1" })
          sandbox.faults.push({ match: { nth: 1 }, fault: stall })
          const config: ClientConfig = yield* subject.config(sandbox, options)
          const first = yield* Effect.fork(subject.ask(config))
          yield* eventually(ClientMap.stats, (stats) => inFlight(stats) === 1 && sandbox.stats().requests === 1)
          const second = yield* Effect.fork(subject.ask(config))
          yield* eventually(ClientMap.stats, (stats) => queued(stats) === 1)
          const error = yield* Effect.flip(subject.ask(config))
          assert.instanceOf(error, PoolError)
          assert.deepInclude({ ...error }, { reason: "Capacity", provider: subject.name, baseURL: config.baseURL })
          assert.match(error.message, says)
          assert.notStrictEqual(yield* Fiber.join(first), "")
          assert.notStrictEqual(yield* Fiber.join(second), "")
          assert.strictEqual(sandbox.stats().requests, 2)
        }).pipe(Effect.provide(ClientLayer.layer()))
      )
    }
    for (const { get, name, sdk } of doors) {
      it.scopedLive(`${what}: the getter of ${name}`, () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({ protocol: "http/1.1" })
          sandbox.faults.push({ match: { nth: 1 }, fault: stall })
          const clients = yield* set
          const stats = Effect.promise(() => clients.stats())
          const client = get(sandbox.origin, options, clients)
          const first = ask(client).then(Boolean)
          yield* eventually(stats, (seen) => inFlight(seen) === 1 && sandbox.stats().requests === 1)
          const second = ask(client).then(Boolean)
          yield* eventually(stats, (seen) => queued(seen) === 1)
          const error = yield* Effect.promise(() => rejection(ask(client)))
          assert.instanceOf(error, sdk.APIError)
          assert.strictEqual(error["reason"], "Capacity")
          assert.instanceOf(error["cause"], PoolError)
          assert.match(error.message, says)
          assert.deepStrictEqual(yield* Effect.promise(() => Promise.all([first, second])), [true, true])
          assert.strictEqual(sandbox.stats().requests, 2)
        })
      )
    }
  }
})
