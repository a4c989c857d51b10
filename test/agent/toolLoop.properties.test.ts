/** Properties of tool loops for any answers of a model, and for loops left at any point. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import fc from "fast-check"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as ToolLoop from "../../src/ToolLoop.ts"
import { eventually, until } from "../support/wait.ts"
import * as Scripted from "../ai/scripted.ts"
import { Broken, handlers, model, rome, toolkit } from "../ai/tools.ts"
import { draws } from "../support/draws.ts"

const call = fc.constantFrom(
  { name: "weather", arguments: rome },
  { name: "weather", arguments: '{"city":"Atlantis"}' },
  { name: "weather", arguments: '{"town":"Rome"}' },
  { name: "weather", arguments: '"Rome"' },
  { name: "weather", arguments: '{"city":' },
  { name: "clock", arguments: "{}" },
  { name: "clock", arguments: "" },
  { name: "wether", arguments: "{}" }
)

const turn = fc.oneof(
  { weight: 4, arbitrary: fc.array(call, { minLength: 1, maxLength: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom("21 degrees", "it is noon in Rome", "") }
)

const turns = fc.array(turn, { maxLength: 4 })

const options = fc.record({
  maxRounds: fc.integer({ min: 1, max: 5 }),
  onToolFailure: fc.constantFrom("return" as const, "fail" as const),
  concurrency: fc.constantFrom(1, 2, "unbounded" as const)
})

/**
 * The end as plain data; ids are the same, for the provider is. The calls that a failure interrupts are up to chance.
 */
const ended = <R>(loop: Effect.Effect<ToolLoop.Result, unknown, R>) =>
  Effect.match(loop, {
    onFailure: (error) => JSON.parse(JSON.stringify({ ...(error as object), said: String(error) })) as unknown,
    onSuccess: (result) => JSON.parse(JSON.stringify(result)) as unknown
  })

const last = <E, R>(parts: Stream.Stream<ToolLoop.Part<typeof toolkit.tools>, E, R>) =>
  Stream.runFold(parts, undefined as ToolLoop.Result | undefined, (before, part) =>
    part.type === "loop-end" ? part.result : before
  ) as Effect.Effect<ToolLoop.Result, E, R>

const isIdle = ({ clients }: ClientMap.Stats): boolean =>
  clients.every(({ inFlight, leases }) => inFlight === 0 && leases === 0)

/** Holds for 25 draws of these. */
const holds = <A extends ReadonlyArray<unknown>, E>(
  drawn: { readonly [K in keyof A]: fc.Arbitrary<A[K]> },
  body: (...of: A) => Effect.Effect<void, E, Scope.Scope>
): Promise<void> =>
  fc.assert(
    fc.asyncProperty(fc.tuple(...drawn) as unknown as fc.Arbitrary<A>, (of) =>
      Effect.runPromise(Effect.scoped(body(...of)))
    ),
    { numRuns: draws(25) }
  )

describe("a tool loop", () => {
  it("ends the same whole and streamed, and sends the model the same, for any answers", () =>
    holds([turns, options], (turns, options) =>
      Effect.gen(function* () {
        const [whole, streamed] = [yield* Scripted.make(...turns), yield* Scripted.make(...turns)]
        const asked = { prompt: "?", toolkit, ...options }
        const one = yield* Effect.provide(ended(ToolLoop.run(asked)), model(whole.baseURL))
        const other = yield* Effect.provide(ended(last(ToolLoop.stream(asked))), model(streamed.baseURL))
        assert.deepStrictEqual(other, one)
        assert.deepStrictEqual(
          streamed.asked.map(({ messages, tool_choice }) => [messages, tool_choice]),
          whole.asked.map(({ messages, tool_choice }) => [messages, tool_choice])
        )
        assert.isAtMost(whole.asked.length, options.maxRounds)
      }).pipe(Effect.provide([handlers, ClientLayer.layer()]))
    ))

  it("leaves nothing running wherever its stream is left", () =>
    holds([turns, options, fc.nat(40)], (turns, options, taken) =>
      Effect.gen(function* () {
        const server = yield* Scripted.make(...turns)
        let running = 0
        const tool = <A, E>(give: Effect.Effect<A, E>) =>
          Effect.acquireUseRelease(
            Effect.sync(() => void running++),
            () => Effect.zipRight(Effect.yieldNow(), give),
            () => Effect.sync(() => void running--)
          )
        yield* ToolLoop.stream({ prompt: "?", toolkit, ...options }).pipe(
          Stream.take(taken),
          Stream.runDrain,
          Effect.exit,
          Effect.provide([
            model(server.baseURL),
            toolkit.toLayer({
              weather: ({ city }) =>
                tool(city === "Atlantis" ? new Broken({ what: "sunk" }) : Effect.succeed({ degrees: 21 })),
              clock: () => tool(Effect.succeed("noon"))
            })
          ])
        )
        assert.strictEqual(running, 0)
        // A request that was about to be sent ends in a later microtask.
        assert.isTrue(isIdle(yield* eventually(ClientMap.stats, isIdle)))
        yield* Effect.promise(() => until(() => server.open() === 0))
      }).pipe(Effect.provide(ClientLayer.layer()))
    ))
})
