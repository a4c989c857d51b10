import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import * as Child from "../support/child.ts"

const url = new URL("../../src/register.ts", import.meta.url).href

const registered = { NODE_OPTIONS: `--import=${url}`, CLIENTELE_REPORT: "1" }

const pooled = (name: string) => ({ shared: true, is: true, name, answered: true, error: "NotFoundError" })

const openSandbox = Sandbox.make({ models: ["known"], protocol: "http/1.1" })

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
          ""
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
      assert.strictEqual(stderr, "clientele: 12 clients asked for, 5 built; at most 1 socket open at once\n")
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

  it("a process without an SDK loads nothing and says nothing", () => {
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
    assert.strictEqual(
      stdout,
      "hooks.ts modules.ts node.ts register.ts report.ts requirements.ts surroundings.ts trap.ts versions.ts\n"
    )
    assert.deepStrictEqual({ status, stderr }, { status: 0, stderr: "" })
  })

  it("a process that dies of a signal tells what came of its clients", () => {
    const program = `
      import { OpenAI } from "openai"
      new OpenAI({ apiKey: "sk-child" })
      setInterval(() => undefined, 1_000)
      process.kill(process.pid, "SIGTERM")`
    const { signal, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      encoding: "utf8",
      env: { ...process.env, ...registered }
    })
    assert.strictEqual(stderr, "clientele: 1 client asked for, 1 built; at most 0 sockets open at once\n")
    assert.strictEqual(signal, "SIGTERM")
  })

  it("a version of an SDK that is not known is left alone, with a warning", () => {
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
      assert.match(stderr, /ClienteleWarning: clients of openai 4\.104\.0 are not pooled: this version is not known\n/)
      assert.strictEqual(status, 0)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
