import { spawn } from "node:child_process"
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import * as Child from "../support/child.ts"
import { eventually } from "../support/wait.ts"

const root = resolve(import.meta.dirname, "../..")

/** Long beyond all that a process may wait for. */
const forever = 60_000

const start = (sandbox: Sandbox.Sandbox, mode: string, count = "1") =>
  Child.run("promise.ts", [mode, sandbox.baseURL("openai"), count])

const ended = (child: Child.Child) => Effect.promise(() => child.ended)

const said = (child: Child.Child, text: string) =>
  eventually(
    Effect.sync(() => child.stdout()),
    (stdout) => stdout.includes(text)
  )

const inFlight = (sandbox: Sandbox.Sandbox, count: number) =>
  eventually(
    Effect.sync(() => sandbox.stats().inFlight),
    (inFlight) => inFlight === count
  )

const noSockets = (sandbox: Sandbox.Sandbox) =>
  eventually(
    Effect.sync(() => sandbox.stats().connections.open),
    (open) => open === 0
  )

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "clientele-exit-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

describe("a script that has nothing else to do exits by itself", () => {
  const scripts = [
    { mode: "once", when: "after its answer", code: 0, stdout: "answer 1\n" },
    { mode: "code", when: "with the exit code that it has set", code: 3, stdout: "answer\n" },
    { mode: "rejected", when: "after a call that was rejected", code: 0, stdout: "not found\n" },
    { mode: "unread", when: "with a stream that it has not read", code: 0, stdout: "answer\n" },
    {
      mode: "again",
      when: "after what it does in beforeExit, to which its clients still answer",
      code: 0,
      stdout: "asked before the exit\nasked before the exit\n"
    }
  ]
  for (const { code, mode, stdout, when } of scripts) {
    it.live(when, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const child = yield* start(sandbox, mode)
        const end = yield* ended(child)
        assert.isBelow(performance.now() - child.spokeAt(), 5_000, "idle time and keep-alive are a minute")
        assert.deepStrictEqual(end, { code, signal: null, stdout, stderr: "" })
        yield* noSockets(sandbox)
      }).pipe(Effect.scoped)
    )
  }

  it.live("with the status of an error that it did not catch", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const child = yield* start(sandbox, "uncaught")
      const { code, signal, stderr, stdout } = yield* ended(child)
      assert.deepStrictEqual({ code, signal, stdout }, { code: 1, signal: null, stdout: "answer\n" })
      assert.match(stderr, /Error: of the script/)
    }).pipe(Effect.scoped)
  )
})

describe("a signal that nobody listens for", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it.live(`ends the process by ${signal} once its 100 streams have come to their end`, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 300, timePerToken: 20 })
        const child = yield* start(sandbox, "streams", "100")
        yield* inFlight(sandbox, 100)
        child.kill(signal)
        assert.deepStrictEqual(yield* ended(child), { code: null, signal, stdout: "begun\nread\n", stderr: "" })
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
        (requests) => requests > 60
      )
      const since = performance.now()
      child.kill("SIGINT")
      assert.deepStrictEqual(yield* ended(child), { code: null, signal: "SIGINT", stdout: "begun\n", stderr: "" })
      assert.isBelow(performance.now() - since, 9_000, "what they ask next is not waited for till the drain timeout")
      assert.strictEqual(sandbox.stats().aborts, 0)
    }).pipe(Effect.scoped)
  )

  it.live("ends it at once when it comes again", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: forever })
      const child = yield* start(sandbox, "streams", "10")
      yield* inFlight(sandbox, 10)
      child.kill("SIGTERM")
      yield* Effect.sleep(300)
      assert.strictEqual(sandbox.stats().inFlight, 10, "the first lets them be")
      const second = performance.now()
      child.kill("SIGINT")
      assert.deepStrictEqual(yield* ended(child), { code: null, signal: "SIGINT", stdout: "begun\n", stderr: "" })
      assert.isBelow(performance.now() - second, 5_000, "the drain timeout is ten seconds")
    }).pipe(Effect.scoped)
  )

  it.live("ends it when the drain timeout has passed", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: forever })
      const child = yield* start(sandbox, "bounded")
      yield* inFlight(sandbox, 1)
      const since = performance.now()
      child.kill("SIGTERM")
      assert.deepStrictEqual(yield* ended(child), { code: null, signal: "SIGTERM", stdout: "begun\n", stderr: "" })
      assert.isAtLeast(performance.now() - since, 290)
    }).pipe(Effect.scoped)
  )

  it.live("is left to those who leave it to others, as signal-exit does, when the requests are over", () =>
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

describe("a signal that the app listens for", () => {
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
})

describe("listeners for the end of the process", () => {
  it.live("are there while the default set is, and the next set has them again", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const child = yield* start(sandbox, "closed")
      const expected = { code: 0, signal: null, stdout: "listeners 1 0 0\nlisteners 1\n", stderr: "" }
      assert.deepStrictEqual(yield* ended(child), expected)
    }).pipe(Effect.scoped)
  )

  it.live("are one for two copies of the package, which both let their requests come to an end", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const path = yield* folder
      cpSync(join(root, "src"), join(path, "src"), { recursive: true })
      cpSync(join(root, "package.json"), join(path, "package.json"))
      symlinkSync(join(root, "node_modules"), join(path, "node_modules"))
      const child = yield* start(sandbox, "copies", pathToFileURL(join(path, "src")).href)
      yield* said(child, "listening")
      yield* inFlight(sandbox, 2)
      child.kill("SIGTERM")
      const stdout = "two, 1 listening\nanswer 0\nanswer 1\n"
      assert.deepStrictEqual(yield* ended(child), { code: null, signal: "SIGTERM", stdout, stderr: "" })
    }).pipe(Effect.scoped)
  )
})

describe("worker threads", () => {
  it.live("have a set each, which ends with them", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const child = yield* start(sandbox, "workers", "3")
      const expected = { code: 0, signal: null, stdout: "workers 0 0 0\n", stderr: "" }
      assert.deepStrictEqual(yield* ended(child), expected)
      assert.strictEqual(sandbox.stats().connections.total, 3)
      yield* noSockets(sandbox)
    }).pipe(Effect.scoped)
  )

  it.live("leave no socket behind when they are terminated with a request under way", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: forever })
      const child = yield* start(sandbox, "terminated")
      yield* said(child, "begun")
      yield* inFlight(sandbox, 1)
      child.kill("SIGUSR2")
      yield* said(child, "terminated")
      yield* noSockets(sandbox)
    }).pipe(Effect.scoped)
  )
})

describe("node --watch", () => {
  it.live("restarts at once in spite of requests under way, and leaves none behind", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: forever })
      const app = join(yield* folder, "app.mjs")
      const script = `import ${JSON.stringify(pathToFileURL(join(root, "test/support/children/promise.ts")).href)}\n`
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
      yield* eventually(Effect.sync(begun), (count) => count === 2)
      assert.isBelow(performance.now() - since, 9_000, "the drain timeout is ten seconds")
      yield* eventually(
        Effect.sync(() => sandbox.stats()),
        ({ inFlight, requests }) => inFlight === 5 && requests === 10
      )
      child.kill("SIGTERM")
      yield* noSockets(sandbox)
    }).pipe(Effect.scoped)
  )
})
