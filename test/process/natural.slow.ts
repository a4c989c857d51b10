import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import * as Child from "../support/child.ts"
import { arrived, atOnce, concurrent, ended, forever, noSockets, start } from "./support.ts"

const roads = [
  { name: "HTTP/1.1", options: { protocol: "http/1.1" } },
  { name: "HTTP/2", options: { protocol: "both", tls: true } }
] as const

/** A layer that closes can't know whether a body will yet be read: those are given its drain timeout. */
const doors = {
  promise: { of: "clients of the Promise door", drainTimeout: forever },
  runMain: { of: "an effect that runMain runs", drainTimeout: 300 },
  managed: { of: "an effect of a ManagedRuntime that is never disposed", drainTimeout: forever }
}

const run = (sandbox: Sandbox.Sandbox, door: string, what: string, drainTimeout = forever) =>
  Child.run("ends.ts", [door, what, sandbox.baseURL("openai"), `${drainTimeout}`], { SANDBOX_CA: sandbox.ca })

for (const { name, options } of roads) {
  describe(`a script over ${name}`, concurrent, () => {
    for (const [door, { drainTimeout, of }] of Object.entries(doors)) {
      it.live(`with ${of} stays while it reads and waits, and then exits with its code, whatever it has not read`, () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make(options)
          const child = yield* run(sandbox, door, "done", drainTimeout)
          const end = yield* ended(child)
          assert.deepStrictEqual(end, { code: 3, signal: null, stdout: "read\nrefused\nanswered\ndone\n", stderr: "" })
          assert.isBelow(performance.now() - child.spokeAt(), atOnce)
          yield* noSockets(sandbox)
        }).pipe(Effect.scoped)
      )

      it.live(`with ${of} stays for a request that it does not await`, () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make(options)
          const child = yield* run(sandbox, door, "flying")
          yield* arrived(sandbox, 1)
          child.kill("SIGUSR2")
          const end = yield* ended(child)
          assert.deepStrictEqual(end, { code: 0, signal: null, stdout: "done\nanswered\n", stderr: "" })
          assert.isBelow(performance.now() - child.spokeAt(), atOnce)
          yield* noSockets(sandbox)
        }).pipe(Effect.scoped)
      )
    }
  })
}

describe("a script with nothing else to do", concurrent, () => {
  const others = [
    { mode: "rejected", when: "after a call that was rejected", stdout: "not found\n" },
    {
      mode: "again",
      when: "after what it does in beforeExit, to which its clients still answer",
      stdout: "asked before the exit\nasked before the exit\n"
    }
  ]
  for (const { mode, stdout, when } of others) {
    it.live(`exits ${when}`, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const child = yield* start(sandbox, mode)
        const end = yield* ended(child)
        assert.deepStrictEqual(end, { code: 0, signal: null, stdout, stderr: "" })
        assert.isBelow(performance.now() - child.spokeAt(), atOnce)
        yield* noSockets(sandbox)
      }).pipe(Effect.scoped)
    )
  }
})
