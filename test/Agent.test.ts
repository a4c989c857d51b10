import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Agent from "../src/Agent.ts"
import * as ClientLayer from "../src/ClientLayer.ts"
import * as ClientMap from "../src/ClientMap.ts"
import * as GroqClient from "../src/GroqClient.ts"
import * as OpenAiModel from "../src/OpenAiModel.ts"
import * as Sandbox from "../src/testing/Sandbox.ts"
import * as ToolLoop from "../src/ToolLoop.ts"
import * as Scripted from "./ai/scripted.ts"
import { series } from "./support/metrics.ts"
import { recorder } from "./support/spans.ts"
import { until } from "./support/wait.ts"

const groq = (sandbox: Sandbox.Sandbox, fault?: string) =>
  Agent.make({
    name: fault === undefined ? "answer" : `answer ${fault}`,
    run: (prompt: string) =>
      GroqClient.use(
        { apiKey: Redacted.make("sk"), baseURL: sandbox.baseURL("groq"), maxRetries: 0 },
        async (client, signal) => {
          const headers = fault === undefined ? {} : { "x-sandbox-fault": fault }
          const answer = await client.chat.completions.create(
            { model: "m", messages: [{ role: "user", content: prompt }] },
            { headers, signal }
          )
          return answer.choices[0]?.message.content ?? ""
        }
      )
  })

describe("an agent", () => {
  it.scoped("has a scope of its own, which ends with it", () =>
    Effect.gen(function* () {
      const ledger: Array<string> = []
      const agent = Agent.make({
        name: "scoped",
        run: (input: number) =>
          Effect.as(
            Effect.acquireRelease(
              Effect.sync(() => void ledger.push(`acquired ${input}`)),
              () => Effect.sync(() => void ledger.push(`released ${input}`))
            ),
            input + 1
          )
      })
      assert.strictEqual(yield* Effect.flatMap(agent(1), agent), 3)
      assert.deepStrictEqual(ledger, ["acquired 1", "released 1", "acquired 2", "released 2"])
    })
  )

  it.scoped("shows in traces by its name, with what is below it, and is metered", () =>
    Effect.gen(function* () {
      const seen = recorder()
      const agent = Agent.make({
        name: "traced",
        description: "an agent to look at",
        run: (fails: boolean) => Effect.withSpan(fails ? Effect.fail(new Error("no")) : Effect.void, "inner")
      })
      yield* agent(false).pipe(Effect.withTracer(seen.tracer))
      yield* Effect.flip(agent(true)).pipe(Effect.withTracer(seen.tracer))
      assert.deepStrictEqual(
        seen.spans.map(({ name }) => name),
        ["invoke_agent traced", "inner", "invoke_agent traced", "inner"]
      )
      const [first, inner, second] = seen.spans
      assert.deepStrictEqual(Object.fromEntries(first!.attributes), {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "traced",
        "gen_ai.agent.description": "an agent to look at"
      })
      assert.strictEqual(inner!.parent, first!.id)
      assert.strictEqual(second!.attributes.get("error.type"), "Error")
      const counts: ReadonlyArray<object> = series("gen_ai.client.operation.duration").map(
        ({ count, labels, unit }) => ({ ...labels, unit, count })
      )
      const labels = { "gen_ai.agent.name": "traced", "gen_ai.operation.name": "invoke_agent", unit: "s", count: 1 }
      assert.deepInclude(counts, labels)
      assert.deepInclude(counts, { "error.type": "Error", ...labels })
    })
  )

  it.scopedLive("raced with a hedge asks again only after the delay, and the loser's request is aborted", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const slow = groq(sandbox, "stall=headers")
      const quick = groq(sandbox)
      // The first answers before its hedge is due.
      yield* Effect.race(quick("a"), Effect.delay(slow("a"), "1 minute"))
      assert.strictEqual(sandbox.stats().requests, 1)
      const answer = yield* Effect.race(slow("b"), Effect.delay(quick("b"), "50 millis"))
      assert.isNotEmpty(answer)
      yield* Effect.promise(() => until(() => sandbox.stats().inFlight === 0))
      const { aborts, requests } = sandbox.stats()
      assert.deepStrictEqual([requests, aborts], [3, 1])
      const { clients } = yield* ClientMap.stats
      assert.isTrue(clients.every(({ inFlight, leases }) => inFlight === 0 && leases === 0))
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("falls back to another, and is a tool of another", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const answer = yield* Effect.orElse(groq(sandbox, "status=500")("a"), () => groq(sandbox)("a"))
      assert.isNotEmpty(answer)
      const Research = Tool.make("research", { parameters: { topic: Schema.String }, success: Schema.String })
      const toolkit = Toolkit.make(Research)
      const researcher = groq(sandbox)
      const server = yield* Scripted.make([{ name: "research", arguments: '{"topic":"a"}' }], "so it is")
      const writer = Agent.make({
        name: "write",
        run: (prompt: string) => ToolLoop.run({ prompt, toolkit })
      })
      const { text } = yield* writer("write on a").pipe(
        Effect.provide(
          toolkit.toLayer(
            Effect.map(ClientMap.ClientMap, (map) => ({
              research: ({ topic }: { readonly topic: string }) =>
                researcher(topic).pipe(Effect.provideService(ClientMap.ClientMap, map), Effect.orDie)
            }))
          )
        ),
        Effect.provide(
          OpenAiModel.model("m", { client: { apiKey: Redacted.make("sk"), baseURL: server.baseURL, maxRetries: 0 } })
        )
      )
      assert.strictEqual(text, "so it is")
      assert.strictEqual(server.asked[1]!.messages.at(-1)!.content, answer)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})
