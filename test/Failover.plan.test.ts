/** Plans by themselves: steps that fail on command, and no provider. */
import { describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as ExecutionPlan from "effect/ExecutionPlan"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { assert, expectTypeOf } from "vitest"
import {
  CallbackError,
  type ClientError,
  OptionsError,
  PoolError,
  type PoolReason,
  RequestError,
  type RequestReason
} from "../src/ClientError.ts"
import type { ClientMap } from "../src/ClientMap.ts"
import * as Failover from "../src/Failover.ts"
import * as GroqClient from "../src/GroqClient.ts"
import { warnings } from "./support/warnings.ts"

/** The service that steps provide: their name. */
class Chat extends Context.Tag("test/Chat")<Chat, string>() {}

const failed = (provider: string, reason: RequestReason = "Server") =>
  new RequestError({ provider, baseURL: "https://x", reason, detail: "no", processed: "yes", attempts: 1 })

/** Steps that do nothing but fail, in this order, and remember that they were taken. */
const failing = (...errors: ReadonlyArray<readonly [name: string, error: unknown]>) => {
  const taken: Array<string> = []
  const program = Effect.flatMap(Chat, (from) => {
    taken.push(from)
    return Effect.fail(errors.find(([name]) => name === from)?.[1])
  })
  return { taken, program }
}
const silent = (from: string) => Layer.succeed(Chat, from)
const step = (name: string, attempts?: number) => ({ name, provide: silent(name), attempts })

/** That of a plan from `a` to `b`. */
const warning = (reason: string, more = "", suppressed = {}) => [
  `a failed, trying b: a (https://x): ${reason}: no${more}`,
  { provider: "a", next: "b", reason, ...suppressed }
]

/** The lines since the last time. */
const said = (lines: ReturnType<typeof warnings>["lines"]) =>
  lines.splice(0).map(({ annotations, message }) => [message, annotations])

describe("failover", () => {
  const place = { provider: "groq", baseURL: "https://x" }

  it("happens for errors that another provider can cure, and no others", () => {
    const requests: Readonly<Record<RequestReason, boolean>> = {
      RateLimited: true,
      QuotaExceeded: true,
      QueueTimeout: true,
      Timeout: true,
      Connection: true,
      FileDescriptors: true,
      Authentication: true,
      Permission: true,
      NotFound: false,
      BadRequest: false,
      Server: true,
      Malformed: true,
      Aborted: false
    }
    const pools: Readonly<Record<PoolReason, boolean>> = {
      Closed: false,
      Capacity: true,
      Construct: true,
      Released: false
    }
    for (const [reason, expected] of Object.entries(requests)) {
      assert.strictEqual(Failover.shouldFailOver(failed("groq", reason as RequestReason)), expected, reason)
    }
    for (const [reason, expected] of Object.entries(pools)) {
      const error = new PoolError({ ...place, reason: reason as PoolReason, detail: "no" })
      assert.strictEqual(Failover.shouldFailOver(error), expected, reason)
    }
    const others = [
      new OptionsError({ provider: "groq", field: "apiKey", received: "nothing", expected: "a key" }),
      new CallbackError({ provider: "groq", cause: failed("groq") }),
      new Error("no"),
      { _tag: "RequestError", reason: "Server" },
      "Server",
      undefined
    ]
    assert.deepStrictEqual(others.map(Failover.shouldFailOver), [false, false, false, false, false, false])
  })
})

describe("a plan", () => {
  it.effect("tries a provider as often as configured, and logs the switch alone", () => {
    const { layer, lines } = warnings()
    return Effect.gen(function* () {
      const { program, taken } = failing(["a", failed("a")], ["b", failed("b")], ["c", failed("c", "BadRequest")])
      const plan = Failover.plan(step("a", 2), step("b", 3), step("c", 2))
      const error = yield* Effect.flip(Effect.withExecutionPlan(program, plan))
      assert.deepInclude(error, { provider: "c", reason: "BadRequest" })
      assert.deepStrictEqual(taken, ["a", "a", "b", "b", "b", "c"])
      assert.deepStrictEqual(lines, [
        {
          message: "a failed, trying b: a (https://x): Server: no",
          annotations: { provider: "a", next: "b", reason: "Server" }
        },
        {
          message: "b failed, trying c: b (https://x): Server: no",
          annotations: { provider: "b", next: "c", reason: "Server" }
        }
      ])
      // And again, in the same fiber.
      yield* Effect.flip(Effect.withExecutionPlan(program, plan))
      assert.deepStrictEqual([taken.length, lines.length], [12, 2])
    }).pipe(Effect.provide(layer))
  })

  it.effect("passes other errors and defects on", () =>
    Effect.gen(function* () {
      class NoSense extends Data.TaggedError("NoSense")<{}> {}
      const { program, taken } = failing(["a", new NoSense()])
      const plan = Failover.plan(step("a", 2), step("b"))
      assert.deepStrictEqual(yield* Effect.flip(Effect.withExecutionPlan(program, plan)), new NoSense())
      assert.deepStrictEqual(taken, ["a"])
      const bug = Effect.withExecutionPlan(Effect.zipRight(Chat, Effect.die("bug")), plan)
      assert.deepStrictEqual(yield* Effect.exit(bug), Exit.die("bug"))
    })
  )

  it.effect("goes on from a layer that can't be built, unless the configuration is at fault", () => {
    const { layer, lines } = warnings()
    return Effect.gen(function* () {
      const broken = new PoolError({ provider: "a", baseURL: "https://x", reason: "Construct", detail: "no SDK" })
      const plan = Failover.plan({ name: "a", provide: Layer.effect(Chat, Effect.fail(broken)) }, step("b"))
      const from = Chat
      assert.strictEqual(yield* Effect.withExecutionPlan(from, plan), "b")
      assert.deepStrictEqual(lines, [
        {
          message: "a failed, trying b: a (https://x): no SDK",
          annotations: { provider: "a", next: "b", reason: "Construct" }
        }
      ])
      const wrong = new OptionsError({ provider: "a", field: "apiKey", received: "nothing", expected: "a key" })
      const misconfigured = Failover.plan({ name: "a", provide: Layer.effect(Chat, Effect.fail(wrong)) }, step("b"))
      assert.strictEqual(yield* Effect.flip(Effect.withExecutionPlan(from, misconfigured)), wrong)
    }).pipe(Effect.provide(layer))
  })

  it.effect("may be within another, and be merged with another", () => {
    const { layer, lines } = warnings()
    return Effect.gen(function* () {
      const { program, taken } = failing(["a", failed("a")], ["b", failed("b")], ["c", failed("c")])
      const outer = Failover.plan(step("x"), step("y"))
      const inner = Effect.withExecutionPlan(program, Failover.plan(step("a"), step("b")))
      yield* Effect.flip(Effect.withExecutionPlan(Effect.zipRight(Chat, inner), outer))
      assert.deepStrictEqual(taken, ["a", "b", "a", "b"])
      assert.deepStrictEqual(
        lines.map(({ annotations }) => annotations),
        [
          { provider: "a", next: "b", reason: "Server" },
          { provider: "x", next: "y", reason: "Server" }
        ]
      )
      taken.length = 0
      const merged = ExecutionPlan.merge(Failover.plan(step("a")), Failover.plan(step("b")))
      yield* Effect.flip(Effect.withExecutionPlan(program, merged))
      assert.deepStrictEqual(taken, ["a", "b"])
      const bad = failing(["a", failed("a", "BadRequest")])
      yield* Effect.flip(Effect.withExecutionPlan(bad.program, merged))
      assert.deepStrictEqual(bad.taken, ["a"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("warns once for a step and a reason, until the step succeeds again or 5 minutes have passed", () => {
    const { layer, lines } = warnings()
    return Effect.gen(function* () {
      let errors: ReadonlyArray<RequestError | undefined> = [failed("a"), undefined]
      const program = Effect.flatMap(Chat, (from) => {
        const error = errors[from === "a" ? 0 : 1]
        return error === undefined ? Effect.succeed(from) : Effect.fail(error)
      })
      const plan = Failover.plan(step("a"), step("b"))
      const ask = Effect.withExecutionPlan(program, plan)
      const asked = (times: number) => Effect.forEach(Array.from({ length: times }), () => ask, { discard: true })

      yield* asked(1_000)
      assert.deepStrictEqual(said(lines), [warning("Server")])
      // Another reason is another matter.
      errors = [failed("a", "RateLimited"), undefined]
      yield* asked(3)
      assert.deepStrictEqual(said(lines), [warning("RateLimited")])

      errors = [failed("a"), undefined]
      yield* TestClock.adjust("299 seconds")
      yield* asked(1)
      assert.deepStrictEqual(said(lines), [])
      yield* TestClock.adjust("1 second")
      yield* asked(2)
      assert.deepStrictEqual(said(lines), [
        warning("Server", " (1000 more since the last warning)", { suppressed: 1_000 })
      ])

      errors = []
      yield* asked(2)
      errors = [failed("a"), undefined]
      yield* asked(2)
      assert.deepStrictEqual(said(lines), [warning("Server", " (1 more since the last warning)", { suppressed: 1 })])

      // Nobody else's success is that of this step, nor is it another plan's matter.
      yield* Effect.withExecutionPlan(program, Failover.plan(step("b"), step("a")))
      yield* asked(1)
      assert.deepStrictEqual(said(lines), [])
      yield* Effect.withExecutionPlan(program, Failover.plan(step("a"), step("b")))
      assert.deepStrictEqual(said(lines), [warning("Server")])
    }).pipe(Effect.provide(layer))
  })

  it.effect("warns no more often for attempts that had begun before it warned, and succeed", () => {
    const { layer, lines } = warnings()
    return Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const plan = Failover.plan(step("a"), step("b"))
      const slow = yield* Effect.fork(Effect.withExecutionPlan(Effect.zipRight(Chat, Deferred.await(gate)), plan))
      yield* Effect.yieldNow()
      const { program } = failing(["a", failed("a")], ["b", failed("b", "BadRequest")])
      const ask = Effect.flip(Effect.withExecutionPlan(program, plan))
      yield* ask
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(slow)
      yield* ask
      assert.strictEqual(lines.length, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is interrupted as a whole", () =>
    Effect.gen(function* () {
      const plan = Failover.plan(step("a"), step("b"))
      const asked = yield* Ref.make(0)
      const program = Effect.zipRight(
        Effect.zipRight(
          Chat,
          Ref.update(asked, (n) => n + 1)
        ),
        Effect.interrupt
      )
      const exit = yield* Effect.exit(Effect.withExecutionPlan(program, plan))
      assert.isTrue(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause))
      assert.strictEqual(yield* Ref.get(asked), 1)
    })
  )

  it("has its requirements and errors in its type", () => {
    class Other extends Context.Tag("test/Other")<Other, number>() {}
    class Need extends Context.Tag("test/Need")<Need, string>() {}
    const wanting = Layer.effect(Chat, Need)
    const plan = Failover.plan(
      { name: "a", provide: Layer.merge(wanting, Layer.succeed(Other, 1)) },
      { name: "b", provide: Layer.effect(Chat, Effect.fail(new Cause.TimeoutException())) }
    )
    const program = Effect.zipRight(Other, Effect.zipRight(Chat, Effect.fail(failed("a"))))
    // Only the first step provides `Other`, so it is still needed.
    expectTypeOf(Effect.withExecutionPlan(program, plan)).toEqualTypeOf<
      Effect.Effect<never, RequestError | Cause.TimeoutException, Need | Other>
    >()
    expectTypeOf(Stream.withExecutionPlan(Stream.fromEffect(Chat), Failover.plan(step("a")))).toEqualTypeOf<
      Stream.Stream<string>
    >()
    const clients = Failover.plan({ name: "groq", provide: GroqClient.layer({ apiKey: Redacted.make("k") }) })
    expectTypeOf(Effect.withExecutionPlan(GroqClient.GroqClient, clients)).toEqualTypeOf<
      Effect.Effect<typeof GroqClient.GroqClient.Service, ClientError, ClientMap>
    >()
  })
})
