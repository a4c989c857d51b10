import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import * as Sandbox from "../../../src/testing/Sandbox.ts"
import * as Child from "../../support/child.ts"

const url = new URL("../../../src/register.ts", import.meta.url).href

const registered = { NODE_OPTIONS: `--import=${url}`, CLIENTELE_REPORT: "1" }

const pooled = (name: string) => ({ shared: true, is: true, name, answered: true, error: "NotFoundError" })

/** The report's table for a sandbox: requests by 5 clients, over one socket. */
const reported = (sandbox: Sandbox.Sandbox, requests: number): ReadonlyArray<string> => [
  `  origin${" ".repeat(sandbox.origin.length - "origin".length)}  road    clients  requests  sockets`,
  `  ${sandbox.origin}  pooled        5        ${requests}        1`,
  ""
]

const openSandbox = Sandbox.make({ models: ["known"], protocol: "http/1.1" })

const node = (program: string, args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const child = yield* Child.run("roads.ts", [program, ...args], { ...registered, ...env })
    return yield* Effect.promise(() => child.ended)
  })

/** Warnings, and the report's rows, without spaces in excess. */
const said = (stderr: string, { origin }: Sandbox.Sandbox) => {
  const lines = stderr.split("\n").map((line) => line.replaceAll(origin, "ORIGIN").trim().replaceAll(/ +/g, " "))
  return {
    warnings: lines.flatMap((line) => line.split("ClienteleWarning: ").slice(1)),
    rows: lines.filter((line) => line.startsWith("ORIGIN"))
  }
}

const pool = "give the library or the client a pooled fetch, getFetch() of clientele/Promise"

describe("with clientele/register", () => {
  it.live(
    "all clients of an app are pooled, whatever SDK and version they are of, and its classes are as they were",
    () =>
      Effect.gen(function* () {
        const sandbox = yield* openSandbox
        const child = yield* Child.run("register.ts", [sandbox.origin], registered)
        const { code, stderr, stdout } = yield* Effect.promise(() => child.ended)
        const [warning = "", ...lines] = stderr.split("\n").filter((line) => !line.startsWith("(Use `node"))
        assert.match(warning, /ClienteleWarning: a client of OpenAI is not pooled: openai: option unheard is unknown/)
        assert.deepStrictEqual(lines, [
          "clientele: 16 clients asked for, 5 built, 3 left as they are; at most 1 socket open at once",
          ...reported(sandbox, 10)
        ])
        assert.deepStrictEqual(JSON.parse(stdout), {
          openai: pooled("OpenAI"),
          openai6: pooled("OpenAI"),
          azure: pooled("AzureOpenAI"),
          groq: pooled("Groq"),
          cerebras: pooled("Cerebras"),
          defaults: [true, true, true],
          statics: [true, true, true, "OpenAI"],
          versions: false,
          subclass: ["mine", true, true, true],
          own: [true, false],
          refused: [true, true],
          options: 1
        })
        assert.strictEqual(code, 0)
        const { connections, requests } = sandbox.stats()
        assert.deepStrictEqual({ total: connections.total, requests }, { total: 1, requests: 10 })
      }).pipe(Effect.scoped)
  )

  it.live("all clients of an app in CommonJS are pooled", () =>
    Effect.gen(function* () {
      const sandbox = yield* openSandbox
      const child = yield* Child.run("register.cjs", [sandbox.origin], registered)
      const { code, stderr, stdout } = yield* Effect.promise(() => child.ended)
      assert.deepStrictEqual(stderr.split("\n"), [
        "clientele: 12 clients asked for, 5 built; at most 1 socket open at once",
        ...reported(sandbox, 12)
      ])
      assert.deepStrictEqual(JSON.parse(stdout), {
        openai: pooled("OpenAI"),
        itself: pooled("OpenAI"),
        openai6: pooled("OpenAI"),
        azure: pooled("AzureOpenAI"),
        groq: pooled("Groq"),
        cerebras: pooled("Cerebras"),
        defaults: [true, true, true, true],
        statics: [true, true],
        subclass: ["mine", true, true, true]
      })
      assert.strictEqual(code, 0)
      const { connections, requests } = sandbox.stats()
      assert.deepStrictEqual({ total: connections.total, requests }, { total: 1, requests: 12 })
    }).pipe(Effect.scoped)
  )

  it("a process without an SDK loads nothing and prints nothing", () => {
    const program = `
      import { registerHooks } from "node:module"
      const seen = []
      registerHooks({ load: (url, context, next) => (seen.push(url), next(url, context)) })
      await import(${JSON.stringify(url)})
      console.log(seen.filter((url) => url.startsWith("file:")).map((url) => url.replace(/.*\\//, "")).sort().join(" "))`
    const { status, stderr, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      encoding: "utf8",
      env: { ...process.env, CLIENTELE_REPORT: "1" }
    })
    const files =
      "asyncContext gracefulExit hooks install modules node origins processWarning register report requirements roads specs surroundings tally timers trap versions"
    assert.strictEqual(stdout, `${files.replaceAll(/\w+/g, "$&.ts")}\n`)
    assert.deepStrictEqual({ status, stderr }, { status: 0, stderr: "" })
  })

  it("a process that dies of a signal prints the report of its clients", () => {
    const program = `
      import { OpenAI } from "openai"
      new OpenAI({ apiKey: "sk-child" })
      setInterval(() => undefined, 1_000)
      process.kill(process.pid, "SIGTERM")`
    const { signal, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      encoding: "utf8",
      env: { ...process.env, ...registered }
    })
    const [first = "", head = "", row = ""] = stderr.split("\n")
    assert.strictEqual(first, "clientele: 1 client asked for, 1 built; at most 0 sockets open at once")
    assert.match(head, /^ {2}origin +road +clients +requests +sockets$/)
    assert.match(row, /^ {2}https:\/\/api\.openai\.com +pooled +1 +0 +0$/)
    assert.strictEqual(signal, "SIGTERM")
  })

  it.live("requests to a provider that are not pooled are warned of once a caller, and counted", () =>
    Effect.gen(function* () {
      const sandbox = yield* openSandbox
      const { code, stderr } = yield* node("roads", [sandbox.origin], { OPENAI_BASE_URL: sandbox.baseURL("openai") })
      assert.deepStrictEqual(said(stderr, sandbox), {
        warnings: [
          `requests to ORIGIN by fetch are not pooled: set CLIENTELE_FETCH=1, or ${pool}`,
          `requests to ORIGIN by undici (mine/1) are not pooled: use fetch and CLIENTELE_FETCH=1, or ${pool}`,
          `requests to ORIGIN by node:http (a/1 b/2) are not pooled: use a version of its SDK that is pooled (docs/register.md), or ${pool}`
        ],
        rows: ["ORIGIN fetch - 2 -", "ORIGIN undici (mine/1) - 2 -", "ORIGIN node:http (a/1 b/2) - 2 -"]
      })
      assert.strictEqual(code, 0)
    }).pipe(Effect.scoped)
  )

  it.live("a request of fetch with a dispatcher of its own is not pooled, with a warning", () =>
    Effect.gen(function* () {
      const sandbox = yield* openSandbox
      const { code, stderr } = yield* node("dispatcher", [sandbox.origin], { CLIENTELE_FETCH: sandbox.origin })
      assert.deepStrictEqual(said(stderr, sandbox), {
        warnings: [`requests to ORIGIN by fetch are not pooled: it has a dispatcher or a fetch of its own: ${pool}`],
        rows: ["ORIGIN pooled 1 1 1", "ORIGIN fetch - 1 -"]
      })
      assert.strictEqual(code, 0)
    }).pipe(Effect.scoped)
  )

  it.live("a process that dies of a signal prints requests that were not pooled", () =>
    Effect.gen(function* () {
      const sandbox = yield* openSandbox
      const env = { OPENAI_BASE_URL: sandbox.baseURL("openai") }
      const ended = yield* node("killed", [sandbox.origin], env)
      assert.deepStrictEqual(said(ended.stderr, sandbox).rows, ["ORIGIN fetch - 1 -"])
      assert.deepStrictEqual([ended.code, ended.signal], [null, "SIGTERM"])
    }).pipe(Effect.scoped)
  )

  it.live("clients that are left as they are count where they call, and getFetch's as pooled", () =>
    Effect.gen(function* () {
      const sandbox = yield* openSandbox
      const { code, stderr } = yield* node("subclass", [sandbox.origin], {})
      const { rows, warnings } = said(stderr, sandbox)
      assert.deepStrictEqual(warnings, [])
      assert.deepStrictEqual(
        rows.map((row) => row.replace(/7\.[\d.]+/, "7")),
        ["ORIGIN pooled 0 1 1", "ORIGIN fetch (Mine/JS 7) - 1 -"]
      )
      assert.strictEqual(code, 0)
    }).pipe(Effect.scoped)
  )

  it("an unknown version of an SDK is left alone, with a warning", () => {
    const folder = mkdtempSync(join(tmpdir(), "clientele-register-"))
    try {
      const sdk = join(folder, "node_modules/openai")
      mkdirSync(sdk, { recursive: true })
      writeFileSync(join(sdk, "package.json"), `{ "name": "openai", "version": "4.104.0", "main": "index.js" }`)
      writeFileSync(join(sdk, "index.js"), `exports.OpenAI = require("./client.js").OpenAI`)
      writeFileSync(join(sdk, "client.js"), `exports.OpenAI = class OpenAI {}`)
      const program = `const { OpenAI } = require("openai"); console.log(new OpenAI() === new OpenAI())`
      const { status, stderr, stdout } = spawnSync(process.execPath, ["-e", program], {
        cwd: folder,
        encoding: "utf8",
        env: { ...process.env, ...registered }
      })
      assert.strictEqual(stdout, "false\n")
      assert.match(
        stderr,
        /ClienteleWarning: clients of openai 4\.104\.0 are not pooled: unsupported version, supported: versions 5 to 7\n/
      )
      assert.strictEqual(status, 0)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
