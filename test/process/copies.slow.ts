import { cpSync, symlinkSync } from "node:fs"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { arrived, concurrent, ended, folder, noSockets, said, start } from "./support.ts"

const root = resolve(import.meta.dirname, "../..")

/** Base URL of another copy of the package. */
const copy = Effect.map(folder, (path) => {
  cpSync(join(root, "src"), join(path, "src"), { recursive: true })
  cpSync(join(root, "package.json"), join(path, "package.json"))
  symlinkSync(join(root, "node_modules"), join(path, "node_modules"))
  return pathToFileURL(join(path, "src")).href
})

const begun = "two, 1 1 1 listening\n"

describe("two copies of the package in one process", concurrent, () => {
  it.live("listen once for both, and both let their requests come to an end", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const child = yield* start(sandbox, "copies", yield* copy)
      yield* said(child, "listening")
      yield* arrived(sandbox, 2)
      child.kill("SIGTERM")
      const stdout = `${begun}answer 0\nanswer 1\n`
      assert.deepStrictEqual(yield* ended(child), { code: null, signal: "SIGTERM", stdout, stderr: "" })
    }).pipe(Effect.scoped)
  )

  it.live("close what is theirs: the second is listened for after the first has closed, and nothing after both", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const child = yield* start(sandbox, "copies", yield* copy)
      yield* said(child, "answer 1")
      child.kill("SIGUSR2")
      yield* said(child, "both closed")
      yield* noSockets(sandbox)
      child.kill("SIGTERM")
      const stdout = `${begun}answer 0\nanswer 1\nclosed, 1 listening\nboth closed, 0 listening\n`
      assert.deepStrictEqual(yield* ended(child), { code: null, signal: "SIGTERM", stdout, stderr: "" })
    }).pipe(Effect.scoped)
  )
})
