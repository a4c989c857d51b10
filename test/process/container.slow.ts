import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { constants } from "node:os"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import type { Child } from "../support/child.ts"
import { arrived, atOnce, concurrent, ended, forever, inFlight, noSockets, said, start } from "./support.ts"

/** Starts the first process of a PID namespace, as in a container: signals without a listener do not kill it. */
const unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
const tried = spawnSync(unshare[0]!, [...unshare.slice(1), "true"], { encoding: "utf8" })
const why = tried.error?.message ?? tried.stderr
if (tried.status !== 0) console.log(`tests of the first process of a container are skipped: ${why}`)

const first = (sandbox: Sandbox.Sandbox, mode: string, count: string) =>
  start(sandbox, mode, count, [...unshare, process.execPath])

/** To the process itself, whose parent only waits for it. */
const kill = ({ pid }: Child, signal: NodeJS.Signals): void => {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ")
  process.kill(Number(child), signal)
}

describe.skipIf(tried.status !== 0)("the first process of a container", concurrent, () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it.live(`exits with the status of ${signal} once its requests have come to their end`, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 2_000 })
        const child = yield* first(sandbox, "streams", "5")
        yield* arrived(sandbox, 5)
        kill(child, signal)
        const code = 128 + constants.signals[signal]
        const { stderr, ...end } = yield* ended(child)
        assert.deepStrictEqual(end, { code, signal: null, stdout: "begun\nsignalled\nread\n" })
        assert.strictEqual(stderr, "")
        assert.strictEqual(sandbox.stats().aborts, 0)
        yield* noSockets(sandbox)
      }).pipe(Effect.scoped)
    )
  }

  it.live("exits at once when a signal comes again", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: forever })
      const child = yield* first(sandbox, "streams", "5")
      yield* inFlight(sandbox, 5)
      kill(child, "SIGTERM")
      yield* said(child, "signalled")
      const second = performance.now()
      kill(child, "SIGINT")
      const expected = { code: 130, signal: null, stdout: "begun\nsignalled\n", stderr: "" }
      assert.deepStrictEqual(yield* ended(child), expected)
      assert.isBelow(performance.now() - second, atOnce)
      yield* noSockets(sandbox)
    }).pipe(Effect.scoped)
  )
})
