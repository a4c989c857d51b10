import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import * as https from "node:https"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, assert, describe, it } from "vitest"
import manifest from "../../package.json" with { type: "json" }

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))

const started: Array<ChildProcessWithoutNullStreams> = []
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL")
})

const begin = (...args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [MAIN, ...args])
  started.push(child)
  return child
}

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

const ended = (child: ChildProcessWithoutNullStreams): Promise<Ended> =>
  new Promise((resolve) => {
    let out = ""
    let err = ""
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()))
    child.on("close", (code) => resolve({ code, out, err }))
  })

const line = (child: ChildProcessWithoutNullStreams): Promise<string> =>
  new Promise((resolve) => {
    let text = ""
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString()
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")))
    })
  })

const run = (...args: ReadonlyArray<string>) => ended(begin(...args))

describe("clientele", () => {
  it("lists its commands with --help, and when called wrongly", async () => {
    const [asked, bare] = await Promise.all([run("--help"), run()])
    assert.strictEqual(asked.code, 0)
    assert.match(asked.out, /sandbox/)
    assert.strictEqual(bare.code, 2)
    assert.match(bare.err, /sandbox/)
  })

  it("prints its version", async () => {
    assert.deepInclude(await run("--version"), { code: 0, out: `${manifest.version}\n` })
  })

  it("ends quietly when its reader closes the pipe", async () => {
    const child = begin("doctor")
    child.stdout.destroy()
    const { code, err } = await ended(child)
    assert.deepStrictEqual([code, err], [0, ""])
  })

  it("names an unknown command, and the existing ones", async () => {
    const { code, err } = await run("sandbx")
    assert.strictEqual(code, 2)
    assert.match(err, /"sandbx".*sandbox/)
    assert.notMatch(err, /\n.*\n/)
  })
})

describe("clientele sandbox", () => {
  it.each([
    [["--latancy", "5"], /--latancy .*did you mean --latency\?/],
    [["--port", "http"], /--port is "http"; expected a whole number from 0 to 65535/],
    [["--port"], /--port has no value/],
    [["--tls=yes"], /--tls takes no value/],
    [["--protocol", "h3"], /--protocol is "h3"; expected one of http\/1.1, h2, both/],
    [["--latency=-1"], /--latency is "-1"; expected a number of milliseconds from 0 up/],
    [["--fault", "fire"], /--fault is "fire"; expected/],
    [["--write-ca", "x"], /--write-ca needs --tls/],
    [["--write-client-cert", "x"], /--write-client-cert needs --tls/],
    [["8080"], /unexpected argument "8080"/]
  ])("refuses %j with exit code 2 and one line that helps", async (args, message) => {
    const { code, err, out } = await run("sandbox", ...args)
    assert.strictEqual(code, 2)
    assert.strictEqual(out, "")
    assert.match(err, message)
    assert.strictEqual(err.trimEnd().split("\n").length, 1)
  })

  it("prints its address for a program, serves it over TLS, counts, and ends with SIGTERM", async () => {
    const directory = mkdtempSync(join(tmpdir(), "clientele-"))
    try {
      const caFile = join(directory, "ca.pem")
      const child = begin("sandbox", "--tls", "--json", "--write-ca", caFile, "--api-key", "k", "--tokens", "3")
      const end = ended(child)
      const told: { origin: string; ca: string; controlOrigin: string; baseURL: { openai: string } } = JSON.parse(
        await line(child)
      )
      assert.strictEqual(readFileSync(caFile, "utf8"), told.ca)
      const body = await new Promise<string>((resolve, reject) => {
        const options = { method: "POST", ca: told.ca, headers: { authorization: "Bearer k" } }
        const request = https.request(`${told.baseURL.openai}/chat/completions`, options, (response) => {
          let text = ""
          response.on("data", (chunk: Buffer) => (text += chunk.toString()))
          response.on("end", () => resolve(text))
        })
        request.on("error", reject)
        request.end(JSON.stringify({ model: "m", messages: [{ role: "user", content: "x" }] }))
      })
      assert.strictEqual(JSON.parse(body).choices[0].message.content.split(" ").length, 3)
      const stats = await fetch(`${told.controlOrigin}/__sandbox/stats`).then((response) => response.json())
      assert.deepInclude(stats, { requests: 1 })
      assert.deepInclude(stats, { connections: { ...(stats as { connections: object }).connections, total: 1 } })
      child.kill("SIGTERM")
      assert.deepInclude(await end, { code: 0, err: "" })
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it("writes the certificate that it requires from clients", async () => {
    const directory = mkdtempSync(join(tmpdir(), "clientele-"))
    try {
      const file = join(directory, "client.pem")
      const child = begin("sandbox", "--tls", "--json", "--client-cert", "--write-client-cert", file)
      const { ca, origin }: { ca: string; origin: string } = JSON.parse(await line(child))
      const pem = readFileSync(file, "utf8")
      const status = (own: { readonly cert?: string; readonly key?: string }) =>
        new Promise<number | undefined>((resolve) => {
          https
            .get(`${origin}/v1/models`, { ca, agent: false, ...own }, (response) => resolve(response.statusCode))
            .on("error", () => resolve(undefined))
        })
      assert.deepStrictEqual([await status({ cert: pem, key: pem }), await status({})], [200, undefined])
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it("ends with SIGTERM even while the watched input stays open", async () => {
    const child = begin("sandbox", "--stdin-close")
    const end = ended(child)
    await line(child)
    child.kill("SIGTERM")
    assert.deepInclude(await end, { code: 0, err: "" })
  })

  it("prints the base URLs for the SDKs, and ends when its input closes", async () => {
    const child = begin("sandbox", "--stdin-close", "--fault", "status=503@2")
    const end = ended(child)
    const told = await line(child)
    const origin = /http:\/\/127\.0\.0\.1:\d+/.exec(told)?.[0] ?? ""
    assert.include(told, `${origin}/v1 for OpenAI`)
    const statuses: Array<number> = []
    for (let i = 0; i < 2; i++) {
      const response = await fetch(`${origin}/v1/models`)
      statuses.push(response.status)
      await response.text()
    }
    assert.deepEqual(statuses, [200, 503])
    child.stdin.end()
    assert.deepInclude(await end, { code: 0, err: "" })
  })

  it("reports in one line that its port is in use", async () => {
    const first = begin("sandbox", "--json")
    const { port }: { port: number } = JSON.parse(await line(first))
    const { code, err } = await run("sandbox", "--port", String(port))
    assert.strictEqual(code, 1)
    assert.match(err, new RegExp(`127.0.0.1:${port}.*EADDRINUSE`))
  })
})
