/** A key and a secret header are in nothing that a program sees of direct calls, whatever happens to them. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import {
  getAzureOpenAIApi,
  getCerebrasApi,
  getGroqApi,
  getOpenAIApi,
  makeClients,
  type OpenAIApi
} from "../../src/Promise.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { Collector, print, printCause } from "../support/collect.ts"
import { body, providers } from "./doors.ts"

const key = "sk-CANARY-key-8f2c1d"
const header = "CANARY-header-77ab03"

const found = (text: string): ReadonlyArray<string> =>
  [key, header].filter((one) => text.toLowerCase().includes(one.toLowerCase()))

const faults = [
  "none",
  "status=400",
  "status=500",
  "resetBeforeHeaders",
  "resetMidBody",
  "stall=headers",
  "stall=body",
  "garbage=json",
  "truncate",
  "status=401",
  "status=429"
] as const

const say = (status: number, type: string, text: string): Sandbox.Fault => ({
  type: "status",
  status,
  headers: { "content-type": type, "x-echo": `Bearer ${key}` },
  body: text
})

const told = JSON.stringify({ error: { message: `wrong key ${key}, ${header}`, code: key }, message: key })

/** Answers that repeat both, by the model that is asked for. */
const rules: ReadonlyArray<Sandbox.FaultRule> = [
  { match: { model: "repeats-json" }, fault: say(418, "application/json", told) },
  { match: { model: "repeats-text" }, fault: say(500, "text/html", `<p>${key} ${header}</p>`) },
  { match: { model: "repeats-answer" }, fault: say(200, "application/json", told) },
  { match: { model: "repeats-garbage" }, fault: say(200, "application/json", `{"a": "${key} ${header}`) },
  { match: { model: "repeats-event" }, fault: say(200, "text/event-stream", `data: ${told}\n\n`) },
  { match: { model: "repeats-named" }, fault: say(200, "text/event-stream", `event: error\ndata: ${told}\n\n`) },
  { match: { model: "repeats-broken" }, fault: say(200, "text/event-stream", `data: {"a": "${key} ${header}\n\n`) }
]

/** One after another: a key that is refused, or a gate that has closed, fails those beside it. */
const cases = [
  ...rules.map(({ match }) => [String(match!.model), "none"] as const),
  ...faults.map((fault) => ["test-model", fault] as const)
]

const isStall = (fault: string): boolean => fault.startsWith("stall")

const optionsOf = (fault: string) => (fault === "none" ? {} : { headers: { "x-sandbox-fault": fault } })

const around = (text: string): string => {
  const at = Math.max(text.toLowerCase().indexOf(key.toLowerCase()), text.toLowerCase().indexOf(header.toLowerCase()))
  return text.slice(Math.max(0, at - 300), at + 100)
}

for (const { direct, subject } of providers) {
  it.live(`no secret of ${subject.name} is told by the direct door`, () =>
    Effect.gen(function* () {
      const collector = new Collector()
      const sandbox = yield* Sandbox.make({ faults: rules })
      const work = Effect.gen(function* () {
        const options = {
          key,
          headers: { "x-tenant": header, "x-api-token": header },
          maxRetries: 0,
          transport: { circuitFailures: false }
        } as const
        const config = yield* subject.config(sandbox, options)
        const impatient = yield* subject.config(sandbox, { ...options, timeout: 100, bodyTimeout: 100 })
        collector.add(config, String(config))
        const tell = (name: string, effect: Effect.Effect<unknown, unknown, ClientMap.ClientMap>) =>
          effect.pipe(
            Effect.tapErrorCause((cause) => Effect.logError(name, cause)),
            Effect.withSpan(name),
            Effect.exit,
            Effect.map((exit) => {
              collector.add(Exit.isFailure(exit) ? printCause(exit.cause) : exit.value)
              return Exit.isFailure(exit)
            })
          )
        const failed = yield* Effect.forEach(cases, ([model, fault]) => {
          const asked = body("hi", model)
          const client = isStall(fault) ? impatient : config
          return Effect.all([
            tell(`chat ${model} ${fault}`, direct.chat(client, asked, optionsOf(fault))),
            tell(`stream ${model} ${fault}`, Stream.runCollect(direct.chatStream(client, asked, optionsOf(fault))))
          ])
        })
        assert.deepStrictEqual(failed[rules.length], [false, false], "the case without a fault succeeds")
        assert.isAtLeast(failed.flat().filter((one) => one).length, 25)
        collector.add(yield* ClientMap.stats)
      })
      yield* Effect.scoped(Effect.zipRight(collector.console, work)).pipe(
        Effect.provide(ClientLayer.layer()),
        Effect.provide(collector.layer)
      )
      assert.deepStrictEqual([...sandbox.stats().requestsByKey.keys()], [key])
      assert.deepStrictEqual(found(collector.text), [], around(collector.text))
      for (const word of ["RequestError", "ResponseError", "stream test-model stall=body", "[key]"]) {
        assert.include(collector.text, word)
      }
    }).pipe(Effect.scoped)
  )
}

const getters = [
  ["openai", getOpenAIApi],
  ["azure", getAzureOpenAIApi],
  ["groq", getGroqApi],
  ["cerebras", getCerebrasApi]
] as const

it.each(getters)("no secret of %s is told by the direct door without Effect", async (name, get) => {
  await using sandbox = await Sandbox.start({ faults: rules })
  const clients = makeClients()
  const texts: Array<string> = []
  try {
    const place =
      name === "azure"
        ? { endpoint: sandbox.baseURL(name), apiVersion: "2024-10-21" }
        : { baseURL: sandbox.baseURL(name) }
    const api = get(
      {
        apiKey: key,
        ...place,
        defaultHeaders: { "x-api-token": header },
        maxRetries: 0,
        bodyTimeout: 100,
        transport: { circuitFailures: false }
      },
      clients
    ) as OpenAIApi
    texts.push(print(api), print(clients))
    let failures = 0
    const tell = async (run: () => Promise<unknown>) => {
      try {
        texts.push(print(await run()))
      } catch (error) {
        failures++
        texts.push(print(error), String(error), (error as Error).stack ?? "", print((error as Error).cause))
      }
    }
    for (const [model, fault] of cases) {
      const asked = body("hi", model) as never
      const options = { ...optionsOf(fault), ...(fault === "stall=headers" && { timeout: 100 }) }
      await tell(() => api.chat(asked, options))
      await tell(async () => {
        const all: Array<unknown> = []
        for await (const one of api.chatStream(asked, options)) all.push(one)
        return all
      })
    }
    assert.isAtLeast(failures, 25)
  } finally {
    await clients.close()
  }
  const text = texts.join("\n")
  assert.deepStrictEqual([...sandbox.stats().requestsByKey.keys()], [key])
  assert.deepStrictEqual(found(text), [], around(text))
  assert.include(text, "[key]")
})
