import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import * as Child from "../support/child.ts"
import { eventually } from "../support/wait.ts"
import { arrived, atOnce, concurrent, ended, forever, inFlight, noSockets, patience, said, start } from "./support.ts"

describe("a signal without a listener", concurrent, () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it.live(`ends the process by ${signal} once its 100 streams have come to their end`, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 2_000, timePerToken: 20 })
        const child = yield* start(sandbox, "streams", "100")
        yield* arrived(sandbox, 100)
        child.kill(signal)
        assert.deepStrictEqual(yield* ended(child), {
          code: null,
          signal,
          stdout: "begun\nsignalled\nread\n",
          stderr: ""
        })
        const { aborts, requests } = sandbox.stats()
        assert.deepStrictEqual({ aborts, requests }, { aborts: 0, requests: 100 })
        yield* noSockets(sandbox)
      }).pipe(Effect.scoped)
    )
  }

  it.live("fails none of the agents that would go on asking", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: 50, timePerToken: 5 })
      const child = yield* start(sandbox, "restless", "20")
      yield* eventually(
        Effect.sync(() => sandbox.stats().requests),
        (requests) => requests > 60,
        patience
      )
      const since = performance.now()
      child.kill("SIGINT")
      assert.deepStrictEqual(yield* ended(child), { code: null, signal: "SIGINT", stdout: "begun\n", stderr: "" })
      assert.isBelow(performance.now() - since, atOnce, "what they ask next is not waited for")
      assert.strictEqual(sandbox.stats().aborts, 0)
    }).pipe(Effect.scoped)
  )

  it.live("ends it at once when it comes again", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: forever })
      const child = yield* start(sandbox, "streams", "10")
      yield* inFlight(sandbox, 10)
      child.kill("SIGTERM")
      yield* said(child, "signalled")
      assert.strictEqual(sandbox.stats().inFlight, 10, "the first lets them be")
      const second = performance.now()
      child.kill("SIGINT")
      const stdout = "begun\nsignalled\n"
      assert.deepStrictEqual(yield* ended(child), { code: null, signal: "SIGINT", stdout, stderr: "" })
      assert.isBelow(performance.now() - second, atOnce)
      yield* noSockets(sandbox)
    }).pipe(Effect.scoped)
  )

  it.live("ends it when the drain timeout has passed of the set whose requests are under way", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const child = yield* start(sandbox, "bounded")
      yield* arrived(sandbox, 2)
      const since = performance.now()
      child.kill("SIGTERM")
      assert.deepStrictEqual(yield* ended(child), { code: null, signal: "SIGTERM", stdout: "begun\n", stderr: "" })
      const took = performance.now() - since
      assert.isAtLeast(took, 290)
      assert.isBelow(took, atOnce)
      yield* noSockets(sandbox)
    }).pipe(Effect.scoped)
  )

  it.live("lets the requests of 100 sets come to their end, without a warning", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: 2_000 })
      const child = yield* start(sandbox, "sets", "100")
      yield* arrived(sandbox, 100)
      child.kill("SIGTERM")
      const expected = { code: null, signal: "SIGTERM" as const, stdout: "begun\nread\n", stderr: "" }
      assert.deepStrictEqual(yield* ended(child), expected)
      assert.strictEqual(sandbox.stats().aborts, 0)
    }).pipe(Effect.scoped)
  )

  it.live("is left to listeners that pass it on, as signal-exit does, when the requests are over", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const child = yield* start(sandbox, "modest")
      yield* said(child, "begun")
      child.kill("SIGTERM")
      const expected = { code: null, signal: "SIGTERM" as const, stdout: "begun\ncleaned up\n", stderr: "" }
      assert.deepStrictEqual(yield* ended(child), expected)
    }).pipe(Effect.scoped)
  )
})

describe("a signal that the app listens for", concurrent, () => {
  for (const how of ["on", "once"]) {
    it.live(`is the app's alone, and its clients go on answering (process.${how})`, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const child = yield* start(sandbox, "handled", how)
        yield* said(child, "begun")
        child.kill("SIGTERM")
        const expected = { code: 7, signal: null, stdout: "begun\nsignal 1\nasked afterwards\n", stderr: "" }
        assert.deepStrictEqual(yield* ended(child), expected)
      }).pipe(Effect.scoped)
    )
  }

  it.live("ends the process when its listener does, with its code", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: forever })
      const child = yield* start(sandbox, "leaves", "5")
      yield* inFlight(sandbox, 5)
      const since = performance.now()
      child.kill("SIGTERM")
      assert.deepStrictEqual(yield* ended(child), { code: 5, signal: null, stdout: "begun\n", stderr: "" })
      assert.isBelow(performance.now() - since, atOnce)
      yield* noSockets(sandbox)
    }).pipe(Effect.scoped)
  )

  it.live("is the app's too if it begins to listen while requests come to their end", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: 2_000 })
      const child = yield* start(sandbox, "late")
      yield* arrived(sandbox, 1)
      child.kill("SIGTERM")
      const expected = { code: 7, signal: null, stdout: "begun\nread\nsignal\nasked afterwards\n", stderr: "" }
      assert.deepStrictEqual(yield* ended(child), expected)
    }).pipe(Effect.scoped)
  )
})

describe("a signal to an effect that runMain runs", concurrent, () => {
  it.live("interrupts its agents, whose requests are aborted, and it exits with the code that runMain gives", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: forever })
      const child = yield* Child.run("agents.ts", [sandbox.baseURL("groq"), "500", `${forever}`])
      yield* inFlight(sandbox, 500)
      const since = performance.now()
      child.kill("SIGINT")
      assert.deepStrictEqual(yield* ended(child), { code: 0, signal: null, stdout: "ready\n", stderr: "" })
      assert.isBelow(performance.now() - since, atOnce)
      assert.strictEqual(sandbox.stats().aborts, 500)
      yield* noSockets(sandbox)
    }).pipe(Effect.scoped)
  )
})

describe("listeners for the end of the process", concurrent, () => {
  it.live("are there while the default set is, and the next set has them again", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const child = yield* start(sandbox, "closed")
      const expected = { code: 0, signal: null, stdout: "listeners 1 0 0\nlisteners 1\n", stderr: "" }
      assert.deepStrictEqual(yield* ended(child), expected)
    }).pipe(Effect.scoped)
  )

  it.live("go with sets that are dropped without being closed", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const child = yield* start(sandbox, "dropped", "20", [process.execPath, "--expose-gc"])
      const { stdout, ...end } = yield* ended(child)
      assert.deepStrictEqual(end, { code: 0, signal: null, stderr: "" })
      assert.match(stdout, /^\d+ known\n0 known, 0 listening\n$/)
    }).pipe(Effect.scoped)
  )
})
