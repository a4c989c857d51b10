/** The contract of test/runtimes under Node, Bun and Deno themselves, from the packed package. */
import { execFile } from "node:child_process"
import { cpSync, writeFileSync } from "node:fs"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { join, resolve } from "node:path"
import * as zlib from "node:zlib"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { linkedProject, type Project } from "../support/packed.ts"

const root = resolve(import.meta.dirname, "../..")
const bin = (name: string): string => join(root, "node_modules/.bin", name)

/** Command by which each runs a file, and the arguments that load `clientele/register` first. */
const runtimes = {
  node: { command: [process.execPath], register: ["--import", "clientele/register"] },
  bun: { command: [bin("bun")], register: ["--preload", "clientele/register"] },
  deno: {
    command: [bin("deno"), "run", "--allow-all"],
    register: ["--preload", "node_modules/clientele/dist/register.js"]
  }
} as const

type Runtime = keyof typeof runtimes

const names = Object.keys(runtimes) as ReadonlyArray<Runtime>

const doors = ["openai", "azure", "groq", "cerebras", "getFetch", "OpenAiClient"]

/** Each door has one request that fails and one that is reset before they are answered. */
const faults = doors.flatMap((door) => [
  { match: { model: `${door}-503`, nth: 1 }, fault: { type: "status", status: 503 } } as const,
  { match: { model: `${door}-reset`, nth: 1 }, fault: { type: "resetBeforeHeaders" } } as const
])

const codings = { gzip: zlib.gzipSync, br: zlib.brotliCompressSync, deflate: zlib.deflateSync }

const respond =
  (waiting: { goOn: () => void }): http.RequestListener =>
  (request, response) => {
    const { pathname, search } = new URL(request.url ?? "/", "http://localhost")
    const json = (value: unknown, coding?: keyof typeof codings): void => {
      const body = Buffer.from(JSON.stringify(value))
      response.setHeader("content-type", "application/json")
      if (coding !== undefined) response.setHeader("content-encoding", coding)
      response.end(coding === undefined ? body : codings[coding](body))
    }
    switch (pathname) {
      case "/v1/echo": {
        const chunks: Array<Buffer> = []
        request.on("error", () => response.destroy())
        request.on("data", (chunk: Buffer) => chunks.push(chunk))
        request.on("end", () =>
          json({ text: Buffer.concat(chunks).toString(), type: request.headers["content-type"] ?? "" })
        )
        return
      }
      case "/v1/coded":
        return json({ coding: search.slice(1) }, search.slice(1) as keyof typeof codings)
      case "/v1/slowly": {
        const gzip = zlib.createGzip()
        response.writeHead(200, { "content-type": "text/plain", "content-encoding": "gzip" })
        gzip.pipe(response)
        gzip.write("data: first\n\n")
        gzip.flush()
        waiting.goOn = () => gzip.end("data: second\n\n")
        return
      }
      case "/v1/go-on":
        waiting.goOn()
        return json({})
      case "/v1/cut":
        response.writeHead(200, { "content-type": "text/plain", "content-length": "100" })
        response.write("a part", () => response.destroy())
        return
      case "/v1/garbled":
        return void request.socket.end("HTTP/1.1 abc\r\n\r\n")
      case "/v1/moved":
        return void response.writeHead(302, { location: "/v1/echo" }).end()
      default:
        return void response.destroy()
    }
  }

const plainServer = async (): Promise<{ readonly origin: string; readonly close: () => void }> => {
  const server = http.createServer(respond({ goOn: () => undefined }))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const close = () => {
    server.close()
    server.closeAllConnections()
  }
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}

interface Line {
  readonly name: string
  readonly problem?: string
}

interface Ended {
  readonly stdout: string
  readonly stderr: string
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
}

const run = (
  cwd: string,
  runtime: Runtime,
  args: ReadonlyArray<string>,
  options: ReadonlyArray<string> = []
): Promise<Ended> =>
  new Promise((resolve) => {
    const [command, ...first] = runtimes[runtime].command
    const given = [...first, ...options, ...args]
    const child = execFile(command!, given, { cwd, maxBuffer: 1 << 26, timeout: 120_000 }, (_, stdout, stderr) =>
      resolve({ stdout, stderr, status: child.exitCode, signal: child.signalCode })
    )
  })

const linesOf = (stdout: string): ReadonlyArray<Line> =>
  stdout
    .trim()
    .split("\n")
    .map((line) => (line.startsWith("{") ? (JSON.parse(line) as Line) : { name: line, problem: "no JSON" }))

let project: Project

beforeAll(async () => {
  project = await linkedProject("effect", "@effect", "openai", "openai6", "groq-sdk", "@cerebras")
  cpSync(join(root, "test/runtimes"), join(project.folder, "contract"), { recursive: true })
  cpSync(join(root, "test/support/children"), join(project.folder, "children"), { recursive: true })
}, 300_000)
afterAll(() => project.dispose())

describe.concurrent("the contract of each entry point", () => {
  for (const name of names) {
    it(`holds under ${name}`, { timeout: 150_000 }, async () => {
      await using sandbox = await Sandbox.start({ faults, controlPort: 0 })
      await using secure = await Sandbox.start({ tls: true })
      const plain = await plainServer()
      writeFileSync(join(project.folder, `${name}.pem`), sandbox.ca)
      const args = [sandbox.origin, sandbox.controlOrigin ?? "", secure.origin, `${name}.pem`, plain.origin]
      const { status, stderr, stdout } = await run(project.folder, name, ["contract/contract.ts", ...args])
      plain.close()
      const lines = linesOf(stdout)
      assert.deepStrictEqual(
        lines.filter(({ problem }) => problem !== undefined),
        [],
        stderr
      )
      assert.deepStrictEqual(lines.at(-1), { name: "the end", failed: 0 } as Line, stderr)
      assert.strictEqual(lines.length, doors.length * 9 + 11)
      assert.strictEqual(status, 0, stderr)
      // HTTP/2 where the pool has sessions of its own.
      const protocols = new Set(secure.stats().byConnection.flatMap(({ protocol }) => protocol ?? []))
      assert.deepStrictEqual([...protocols], [name === "bun" ? "http/1.1" : "h2"])
    })
  }
})

describe("an app that closes nothing", () => {
  for (const name of names) {
    it(`ends by itself under ${name}, whatever it has not read`, async () => {
      await using sandbox = await Sandbox.start()
      const { status, stdout } = await run(project.folder, name, ["contract/ends.ts", sandbox.origin, "unread"])
      assert.deepStrictEqual({ status, stdout }, { status: 0, stdout: "unread\n" })
    })

    it(`has requests in flight answered under ${name} when it gets SIGTERM`, async () => {
      await using sandbox = await Sandbox.start()
      const { signal, stdout } = await run(project.folder, name, ["contract/ends.ts", sandbox.origin, "term"])
      assert.deepStrictEqual({ signal, stdout }, { signal: "SIGTERM", stdout: "sent\n200\n" })
    })
  }
})

describe("with clientele/register", () => {
  for (const file of ["register.ts", "register.cjs"]) {
    it(`clients of ${file} are pooled under Bun and Deno as under Node`, async () => {
      await using sandbox = await Sandbox.start({ models: ["known"], protocol: "http/1.1" })
      const registered = (name: Runtime) =>
        run(project.folder, name, [`children/${file}`, sandbox.origin], runtimes[name].register)
      const node = await registered("node")
      assert.match(node.stdout, /"openai":{"shared":true/)
      for (const name of ["bun", "deno"] as const) {
        const { stderr, stdout } = await registered(name)
        assert.strictEqual(stdout, node.stdout, stderr)
      }
    })
  }
})
