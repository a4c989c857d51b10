import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Redis } from "ioredis"
import { assert } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import * as Child from "../support/child.ts"
import * as RedisServer from "../support/redis.ts"
import { processOf } from "../support/stores.ts"
import { eventually } from "../support/wait.ts"
import { atOnce, concurrent, ended, forever, inFlight, noSockets, said, start } from "./support.ts"

/** The records that a child has written, each of which is whole. */
const rows = (stdout: string) => {
  const lines = stdout.split("\n")
  assert.strictEqual(lines.pop(), "")
  return lines.map((line) => (JSON.parse(line) as { readonly row: number }).row).toSorted()
}

describe("an uncaught error", concurrent, () => {
  for (const how of ["thrown", "rejected"]) {
    it.live(`ends the process with 1 and its stack while requests are under way, and records are whole (${how})`, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const child = yield* start(sandbox, "crash", how)
        yield* inFlight(sandbox, 5)
        child.kill("SIGUSR2")
        const { code, signal, stderr, stdout } = yield* ended(child)
        assert.deepStrictEqual({ code, signal, rows: rows(stdout) }, { code: 1, signal: null, rows: [1, 2, 3] })
        assert.match(stderr, /Error: of the script\n +at .*promise\.ts:\d+/)
        yield* noSockets(sandbox)
      }).pipe(Effect.scoped)
    )
  }

  for (const door of ["promise", "runMain", "managed"]) {
    it.live(`of a script is printed, and it exits with 1 (${door})`, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const child = yield* Child.run("ends.ts", [door, "fails", sandbox.baseURL("openai"), `${forever}`])
        const { code, signal, stderr, stdout } = yield* ended(child)
        assert.deepStrictEqual({ code, signal }, { code: 1, signal: null })
        assert.match(stdout, /^answered\n/)
        assert.match(stdout + stderr, /of the script/)
        assert.match(stdout + stderr, /at .*ends\.ts:\d+/)
        yield* noSockets(sandbox)
      }).pipe(Effect.scoped)
    )
  }
})

describe("a process that is killed", concurrent, () => {
  it.live("leaves whole records and no socket", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const child = yield* start(sandbox, "crash")
      yield* inFlight(sandbox, 5)
      child.kill("SIGKILL")
      const { code, signal, stdout } = yield* ended(child)
      assert.deepStrictEqual({ code, signal, rows: rows(stdout) }, { code: null, signal: "SIGKILL", rows: [1, 2, 3] })
      yield* noSockets(sandbox)
    }).pipe(Effect.scoped)
  )

  it.live("while it holds a budget in Redis and waits for more blocks no other, and leaves no keys", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const child = yield* Child.run("redis.ts", [`${server.port}`, "5"])
      yield* said(child, "taken 1\n")
      child.kill("SIGKILL")
      yield* ended(child)
      const rates = { requestsPerMinute: 60, tokensPerMinute: Infinity, burst: 1 }
      const survivor = (yield* processOf(server.port)).budget("credential", "model")
      const since = performance.now()
      // By then the taken permit is paid for; the one that it waited for was never taken.
      yield* eventually(
        Effect.promise(() => survivor.reserve([1], rates)),
        ({ taken }) => taken === 1
      )
      assert.isBelow(performance.now() - since, atOnce)
      const redis = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(server.port)),
        (redis) => Effect.sync(() => redis.disconnect())
      )
      const keys = yield* Effect.promise(() => redis.keys("*"))
      assert.isAbove(keys.length, 0)
      for (const key of keys) {
        const left = yield* Effect.promise(() => redis.pttl(key))
        assert.isAbove(left, 0, "it goes away by itself")
        assert.isBelow(left, 70_000)
      }
    }).pipe(Effect.scoped)
  )
})
