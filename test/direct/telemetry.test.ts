/** Spans and metrics of a call are the same through both doors. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { assert, describe } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import type { ClientMap } from "../../src/ClientMap.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { series } from "../support/metrics.ts"
import { recorder } from "../support/spans.ts"
import { eventually } from "../support/wait.ts"
import { body, type Door, providers } from "./doors.ts"

/** Attributes that differ from one request to another. */
const isPassing = (name: string): boolean => /\.id$|port$|time_to|duration/.test(name)

const seenOf = (
  door: Door,
  run: (door: Door, sandbox: Sandbox.Sandbox) => Effect.Effect<unknown, unknown, ClientMap>
) =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.make()
    const { spans, tracer } = recorder()
    yield* run(door, sandbox).pipe(
      Effect.exit,
      Effect.withSpan("agent"),
      Effect.withTracer(tracer),
      Effect.provide(ClientLayer.layer())
    )
    yield* eventually(
      Effect.sync(() => spans.every(({ exit }) => exit !== undefined)),
      (over) => over
    )
    const names = new Map(spans.map(({ id, name }) => [id, name]))
    const plain = spans.map((span) => ({
      name: span.name,
      kind: span.kind,
      parent: span.parent === undefined ? undefined : names.get(span.parent),
      attributes: Object.fromEntries([...span.attributes].filter(([key]) => !isPassing(key))),
      events: span.events,
      exit: span.exit?._tag
    }))
    const labels = series("gen_ai.client.operation.duration", { "server.port": String(sandbox.port) }).map(
      ({ count, labels }) => ({
        count,
        labels: Object.entries(labels).filter(([label]) => label !== "server.port")
      })
    )
    const tokens = series("gen_ai.client.token.usage", { "server.port": String(sandbox.port) }).length
    return { spans: plain, labels, tokens }
  })

describe.each(providers)("telemetry of $name", ({ direct, name, sdk, subject }) => {
  // The sandbox knows Cerebras by its SDK's User-Agent.
  const headers = { "x-sandbox-provider": name }

  const same = (run: (door: Door, sandbox: Sandbox.Sandbox) => Effect.Effect<unknown, unknown, ClientMap>) =>
    Effect.gen(function* () {
      const [first, second] = [yield* seenOf(sdk, run), yield* seenOf(direct, run)]
      assert.deepStrictEqual(second, first)
      return second
    })

  it.scopedLive("is the same for a chat: a span, with tokens, below its agent's", () =>
    Effect.gen(function* () {
      const { spans } = yield* same((door, sandbox) =>
        Effect.flatMap(subject.config(sandbox), (config) => door.chat(config, body()))
      )
      const [agent, chat] = spans
      assert.deepInclude(agent, { name: "agent", events: ["clientele.attempt"] })
      assert.deepInclude(chat, { name: "chat test-model", kind: "client", parent: "agent", exit: "Success" })
      assert.deepInclude(chat!.attributes, { "gen_ai.operation.name": "chat", "gen_ai.request.model": "test-model" })
      assert.isAbove(Number(chat!.attributes["gen_ai.usage.output_tokens"]), 0)
    })
  )

  it.scopedLive("is the same for a stream, and for one that is cut", () =>
    Effect.gen(function* () {
      for (const afterChunks of [undefined, 5]) {
        yield* same((door, sandbox) => {
          if (afterChunks !== undefined) sandbox.faults.push({ fault: { type: "resetMidBody", afterChunks } })
          return Effect.flatMap(subject.config(sandbox, { headers }), (config) =>
            Stream.runDrain(door.chatStream(config, body()))
          )
        })
      }
    })
  )

  it.scopedLive("is the same for a failure", () =>
    Effect.gen(function* () {
      const { spans } = yield* same((door, sandbox) => {
        sandbox.faults.push({ fault: { type: "status", status: 400 } })
        return Effect.flatMap(subject.config(sandbox, { maxRetries: 0, headers }), (config) =>
          door.chat(config, body())
        )
      })
      assert.deepInclude(spans[1], { name: "chat test-model", exit: "Failure" })
      assert.strictEqual(spans[1]!.attributes["error.type"], "400")
    })
  )
})
