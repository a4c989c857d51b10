import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import * as Child from "../support/child.ts"
import { concurrent, ended, noSockets } from "./support.ts"

const roads = [
  { name: "HTTP/1.1", options: { protocol: "http/1.1" } },
  { name: "HTTP/2", options: { protocol: "both", tls: true } }
] as const

describe("a test framework", concurrent, () => {
  for (const { name, options } of roads) {
    it.live(
      `finds no open handle after loading the package, after the last answer, after closing, and after the idle time (${name})`,
      () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make(options)
          const child = yield* Child.run("handles.ts", [sandbox.baseURL("openai")], { SANDBOX_CA: sandbox.ca }, [
            process.execPath,
            "--expose-gc"
          ])
          const { stdout, ...end } = yield* ended(child)
          assert.deepStrictEqual(end, { code: 0, signal: null, stderr: "" })
          assert.deepStrictEqual(JSON.parse(stdout), { loaded: [], answered: [], closed: [], idle: [] })
          yield* noSockets(sandbox)
        }).pipe(Effect.scoped)
    )
  }
})
