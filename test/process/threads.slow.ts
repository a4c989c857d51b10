import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { eventually } from "../support/wait.ts"
import {
  arrived,
  atOnce,
  concurrent,
  ended,
  folder,
  forever,
  inFlight,
  noSockets,
  patience,
  said,
  start
} from "./support.ts"

const roads = [
  { name: "HTTP/1.1", options: { protocol: "http/1.1" }, sockets: 2 },
  { name: "HTTP/2", options: { protocol: "both", tls: true }, sockets: 1 }
] as const

for (const { name, options, sockets } of roads) {
  describe(`worker threads over ${name}`, concurrent, () => {
    it.live("have a set each, which ends with them, whatever they have not read", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make(options)
        const child = yield* start(sandbox, "workers", "3")
        const expected = { code: 0, signal: null, stdout: "workers 0 0 0\n", stderr: "" }
        assert.deepStrictEqual(yield* ended(child), expected)
        assert.isAtLeast(sandbox.stats().connections.total, 3)
        yield* noSockets(sandbox)
      }).pipe(Effect.scoped)
    )

    it.live("leave no socket behind when they are terminated with requests under way", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ ...options, latency: forever })
        const child = yield* start(sandbox, "terminated", "2")
        yield* inFlight(sandbox, 2)
        assert.strictEqual(sandbox.stats().connections.open, sockets)
        child.kill("SIGUSR2")
        yield* said(child, "terminated")
        yield* noSockets(sandbox)
        assert.deepStrictEqual(yield* ended(child), {
          code: 0,
          signal: null,
          stdout: "begun\nterminated\n",
          stderr: ""
        })
      }).pipe(Effect.scoped)
    )
  })
}

describe("node --watch", concurrent, () => {
  it.live("restarts at once in spite of requests under way, and leaves none behind", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: forever })
      const app = join(yield* folder, "app.mjs")
      const script = `import ${JSON.stringify(new URL("../support/children/promise.ts", import.meta.url).href)}\n`
      writeFileSync(app, script)
      let stdout = ""
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(process.execPath, ["--watch", app, "streams", sandbox.baseURL("openai"), "5"], { stdio: "pipe" })
        ),
        (child) => Effect.sync(() => child.kill("SIGKILL"))
      )
      child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
      const begun = () => stdout.split("begun").length - 1
      yield* inFlight(sandbox, 5)
      const since = performance.now()
      writeFileSync(app, `${script}// changed\n`)
      yield* eventually(Effect.sync(begun), (count) => count === 2, patience)
      assert.isBelow(performance.now() - since, atOnce)
      yield* arrived(sandbox, 10)
      yield* inFlight(sandbox, 5)
      child.kill("SIGTERM")
      yield* noSockets(sandbox)
    }).pipe(Effect.scoped)
  )
})
