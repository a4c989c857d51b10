/** `npm start`: the command on the sample data, and the comparison. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, assert, describe, it } from "vitest"
import { compare, render, type Report } from "../../examples/movies/table.ts"
import { until } from "../cli/support.ts"

const folder = mkdtempSync(join(tmpdir(), "clientele-movies-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const report: Report = {
  event: "end",
  exitCode: 1,
  done: 3195,
  failed: 6,
  failures: { EMFILE: 5, Timeout: 1 },
  elapsedMs: 12_730,
  p50Ms: 2030,
  p99Ms: 4520,
  cpuMs: 9300,
  peakOpenFiles: 1024,
  clientsBuilt: 0,
  clientHits: 0,
  clients: 3201,
  hits: null,
  sockets: 1002
}

describe("figures", () => {
  const ours = {
    ...report,
    done: 3201,
    failed: 0,
    failures: {},
    clients: 12,
    hits: 3189,
    sockets: 10,
    peakOpenFiles: null
  }

  it("stand in columns of one width, with unknown ones as n/a", () => {
    const lines = render({ clientele: ours, "a client a row": report }).split("\n")
    const body = lines.slice(0, -1)
    assert.deepStrictEqual([...new Set(body.map((line) => line.length))], [body[0]?.length])
    for (const line of [
      /^rows done +3,201 +3,195$/,
      /^cache hits +3,189 +n\/a$/,
      /^peak file descriptors +n\/a +1,024$/
    ]) {
      assert.match(body.find((one) => line.test(one)) ?? "none", line)
    }
    assert.strictEqual(lines.at(-1), "most common failure, a client a row: EMFILE, 5 times")
  })

  it("are told in words", () => {
    assert.match(
      compare(ours, report),
      /^With clientele, 12 clients and 10 sockets did all 3,201 rows\.\nWith a client a row, 3,201 clients and 1,002 sockets did 3,195 rows and failed on 6, after/
    )
  })
})

const MAIN = fileURLToPath(new URL("../../examples/movies/main.ts", import.meta.url))
const SOURCES = new URL("../support/sources.ts", import.meta.url).href

const started: Array<ChildProcessWithoutNullStreams> = []
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGTERM")
})

const begin = (args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env["PATH"], NODE_OPTIONS: `--import ${SOURCES}` }
  })
  started.push(child)
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    let out = ""
    let err = ""
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()))
    child.on("close", (code) => resolve({ code, out, err }))
  })
  return { child, ended }
}

const results = (out: string): ReadonlyArray<Readonly<Record<string, unknown>>> =>
  readFileSync(out, "utf8")
    .trimEnd()
    .split("\n")
    .map((line): Readonly<Record<string, unknown>> => JSON.parse(line))

describe("npm start", () => {
  it("runs the command on the films, and then compares it with a client a row", async () => {
    const out = join(folder, "movies.jsonl")
    // Results of an earlier start are replaced.
    writeFileSync(out, "")
    const { code, err, out: said } = await begin(["--limit", "200", "--latency", "50", "--out", out]).ended
    assert.strictEqual(code, 0, err)
    assert.match(said, /^\$ clientele run .*movies\.json --prompt "Sum up in one sentence: /)
    assert.match(err, /200 rows answered in 0:\d\d\n/)
    assert.match(said, /rows done +200 +200\n/)
    assert.match(said, /clients built +12 +200\n/)
    assert.match(said, /cache hits +188 +n\/a\n/)
    const [, ours, theirs] = /peak sockets, the server's count +(\d+) +(\d+)\n/.exec(said) ?? []
    assert.isAtMost(Number(ours), 3, "200 agents at 90 and more a connection")
    assert.isAbove(Number(theirs), 20)
    assert.deepStrictEqual(
      results(out).map(({ index }) => index),
      Array.from({ length: 200 }, (_, i) => i)
    )
    assert.isTrue(results(out).every(({ answer }) => typeof answer === "string" && answer !== ""))
  })

  it("reports in one line that the results can't be written", async () => {
    const file = join(folder, "file")
    writeFileSync(file, "")
    const { code, err } = await begin(["--limit", "5", "--latency", "0", "--out", join(file, "results.jsonl")]).ended
    assert.strictEqual(code, 4)
    assert.match(err, /^clientele: can't [^\n]+results\.[^\n]+\n$/)
  })

  it("stops with Ctrl-C, children and all, and tells how many rows are done", async () => {
    const out = join(folder, "stopped.jsonl")
    const { child, ended } = begin(["--limit", "3000", "--concurrency", "10", "--latency", "100", "--out", out])
    await until(() => results(out).length >= 20)
    child.kill("SIGINT")
    const { code, err } = await ended
    assert.strictEqual(code, 130)
    const { length } = results(out)
    assert.isBelow(length, 3000)
    assert.include(err, `${length} rows answered in`)
  })
})
