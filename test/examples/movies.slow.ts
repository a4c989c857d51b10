import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, assert, describe } from "vitest"
import * as Flags from "../../examples/movies/flags.ts"
import { Meter, percentile, type Report } from "../../examples/movies/measure.ts"
import * as Progress from "../../examples/movies/progress.ts"
import * as Prompt from "../../examples/movies/prompt.ts"
import * as Rows from "../../examples/movies/rows.ts"
import * as Table from "../../examples/movies/table.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"

const folder = mkdtempSync(join(tmpdir(), "clientele-movies-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
const file = (text: string): string => {
  const name = join(folder, `${++files}.jsonl`)
  writeFileSync(name, text)
  return name
}

/** Each row as its number and its fields or what is wrong with it. */
const rowsOf = (text: string) =>
  Rows.read(file(text)).pipe(
    Stream.runCollect,
    Effect.map((rows) =>
      Chunk.toReadonlyArray(rows).map(({ number, row }) => [
        number,
        Either.getOrElse(row, (error): unknown => error.message)
      ])
    ),
    Effect.provide(NodeFileSystem.layer)
  )

describe("rows", () => {
  it.effect("are the lines of a file, under their line numbers, and a bad line is only itself", () =>
    Effect.gen(function* () {
      const rows = yield* rowsOf('\uFEFF{"a":1}\r\n\n{"a":"\u2028\u{1F600}"}\nnonsense\n[2]\n{"a":3}')
      assert.deepStrictEqual(rows.slice(0, 2), [
        [1, { a: 1 }],
        [3, { a: "\u2028\u{1F600}" }]
      ])
      assert.match(String(rows[2]?.[1]), /^line 4 is invalid JSON: /)
      assert.deepStrictEqual(rows.slice(3), [
        [5, "line 5 is not an object"],
        [6, { a: 3 }]
      ])
    })
  )

  it.effect("are the elements of a JSON array", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* rowsOf('\n [{"a":1}, 2,\n {"a":3}]'), [
        [1, { a: 1 }],
        [2, "element 2 is not an object"],
        [3, { a: 3 }]
      ])
      const broken = yield* Effect.flip(rowsOf('[{"a":1}'))
      assert.match(broken.message, /starts with "\[" but is not a JSON array/)
    })
  )

  it.effect("keep letters whole that lie across two reads of a file", () =>
    Effect.gen(function* () {
      const long = "é".repeat(200_000)
      assert.deepStrictEqual(yield* rowsOf(`{"a":"x${long}"}\n{"a":2}`), [
        [1, { a: `x${long}` }],
        [2, { a: 2 }]
      ])
    })
  )

  it.effect("of a file that is not there are an error that names it", () =>
    Effect.gen(function* () {
      const error = yield* Rows.read(join(folder, "none")).pipe(
        Stream.runDrain,
        Effect.flip,
        Effect.provide(NodeFileSystem.layer)
      )
      assert.include(error.message, join(folder, "none"))
    })
  )
})

const checked = (template: string, rows: ReadonlyArray<Rows.Row>) =>
  Prompt.check(template, Stream.fromIterable(rows.map((row, index) => ({ number: index + 1, row: Either.right(row) }))))

describe("a prompt", () => {
  const row = {
    title: "Alien",
    "Major Genre": null,
    author: { name: "O'Bannon", tags: ["a", "b"] },
    year: 1979,
    "a.b": 1,
    cost: "$&"
  }
  const fill = (template: string) => Either.getOrElse(Prompt.fill(template, row), (error) => `! ${error.message}`)

  it("takes fields by name and by path", () => {
    assert.strictEqual(fill("{{title}}, {{ year }}, by {{author.name}}"), "Alien, 1979, by O'Bannon")
    assert.strictEqual(fill("[{{Major Genre}}]"), "[]", "null is blank")
    assert.strictEqual(fill("{{author.tags}} {{author.tags.1}} {{a.b}} {{cost}}"), '["a","b"] b 1 $&')
    assert.strictEqual(fill("{no hole} }}"), "{no hole} }}")
  })

  it("does without no field, and takes none that the row only inherits", () => {
    assert.strictEqual(fill("{{titel}}"), "! the row has no field titel")
    assert.strictEqual(fill("{{constructor}} {{title.length}}"), "! the row has no field constructor")
  })

  it.effect("is checked against all rows before the first is sent", () =>
    Effect.gen(function* () {
      const rows = [{ title: "Alien" }, { title: "Brazil", author: { name: "Gilliam" } }]
      assert.strictEqual(yield* checked("{{title}} {{author.name}}", rows), 2, "some row has it")
      const unknown = yield* Effect.flip(checked("{{title}} {{author.nam}}", rows))
      assert.strictEqual(
        unknown.message,
        "the prompt asks for {{author.nam}}, which no row has; fields: title, author.name"
      )
      assert.match((yield* Effect.flip(checked("{{title}", rows))).message, /"\{\{"/)
    })
  )
})

const report: Report = {
  total: 3201,
  done: 3195,
  failed: 6,
  commonError: "connect EMFILE",
  clients: 3201,
  hits: null,
  sockets: 1002,
  descriptors: 1024,
  cpu: 2911.4,
  p50: 2030,
  p99: 4520,
  wall: 12_730
}

const barOf = (done: number, failed: number) => Progress.render("x", { total: 1000, started: 1000, done, failed })

describe("figures", () => {
  it("stand in columns of one width, with unknown ones as n/a", () => {
    const ours = { ...report, done: 3201, failed: 0, commonError: null, hits: 3189, cpu: null }
    const lines = Table.render({ clientele: ours, "a client per agent": report }, "sampled").split("\n")
    const body = lines.slice(0, -1)
    assert.deepStrictEqual([...new Set(body.map((line) => line.length))], [body[0]?.length])
    assert.include(body, "rows done                   3,201                3,195")
    assert.include(body, "cache hits                  3,189                  n/a")
    assert.include(body, "CPU per request done          n/a             2,911 us")
    assert.strictEqual(lines.at(-1), "most common error, a client per agent: connect EMFILE")
  })

  it("are percentiles by nearest rank, and counts of done and failed rows", () => {
    const hundred = Array.from({ length: 100 }, (_, i) => i + 1)
    assert.deepStrictEqual([percentile(hundred, 0.5), percentile(hundred, 0.99), percentile([], 0.5)], [50, 99, null])
    const meter = new Meter(4)
    for (const ms of [3, 1]) meter.done(ms)
    for (const message of ["a", "b", "b"]) meter.failed(message)
    assert.deepInclude(meter.report({ clients: 1, hits: null, sockets: null }), {
      done: 2,
      failed: 3,
      commonError: "b",
      p50: 1,
      p99: 3
    })
  })

  it("make a bar that is full when all rows have ended", () => {
    assert.strictEqual(barOf(500, 0), `x ${"█".repeat(9)}${"░".repeat(9)} 500/1,000 rows, 0 failed, 500 at work`)
    assert.strictEqual(barOf(990, 10), `x ${"█".repeat(18)} 1,000/1,000 rows, 10 failed, 0 at work`)
  })
})

describe("flags", () => {
  const real = ["--provider", "groq", "--model", "m", "--rows", "data/r.jsonl", "--prompt", "p"]

  it.effect("have defaults", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* Flags.parse([]), { mode: "compare", concurrency: 1000, out: "out/movies.jsonl" })
      assert.deepInclude(yield* Flags.parse(real), { mode: "real", concurrency: 1000, out: "out/r.jsonl" })
    })
  )

  const wrong: ReadonlyArray<readonly [args: ReadonlyArray<string>, said: RegExp]> = [
    [["--colour"], /'--colour'.*--help/],
    [["--limit", "0"], /--limit is "0"; expected a whole number from 1 up/],
    [["--concurrency", "many"], /--concurrency is "many"; expected/],
    [["--provider", "groq", "--rows", "r"], /--model, --prompt missing/],
    [[...real, "--provider", "grok"], /--provider is "grok"; expected one of openai, azure, groq, cerebras/],
    [[...real, "--out", "data/../data/r.jsonl"], /would overwrite the rows/]
  ]
  for (const [args, said] of wrong) {
    it.effect(`are refused in one line: ${args.slice(-2).join(" ")}`, () =>
      Effect.gen(function* () {
        const { message } = yield* Effect.flip(Flags.parse(args))
        assert.match(message, said)
        assert.notInclude(message, "\n")
      })
    )
  }
})

const MAIN = fileURLToPath(new URL("../../examples/movies/main.ts", import.meta.url))
const SOURCES = new URL("../support/sources.ts", import.meta.url).href

const started: Array<ChildProcessWithoutNullStreams> = []
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL")
})

const begin = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) => {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env["PATH"], NODE_OPTIONS: `--import ${SOURCES}`, ...env }
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

const results = (out: string): ReadonlyArray<Record<string, unknown>> =>
  readFileSync(out, "utf8")
    .trimEnd()
    .split("\n")
    .map((line): Record<string, unknown> => JSON.parse(line))
    .toSorted((a, b) => Number(a["row"]) - Number(b["row"]))

describe("npm start", () => {
  it("does the rows both ways, side by side", async () => {
    const out = join(folder, "movies.jsonl")
    const { code, err, out: said } = await begin(["--limit", "200", "--latency", "50", "--out", out]).ended
    assert.deepStrictEqual({ code, err }, { code: 0, err: "" })
    assert.match(said, /rows done +200 +200\n/)
    assert.match(said, /clients built +12 +200\n/)
    assert.match(said, /cache hits +188 +n\/a\n/)
    const [, ours, theirs] = /peak sockets, the server's count +(\d+) +(\d+)\n/.exec(said) ?? []
    assert.isAtMost(Number(ours), 3, "200 agents at 90 and more a connection")
    assert.isAbove(Number(theirs), 20)
    for (const name of [out, join(folder, "movies-today.jsonl")]) {
      const rows = results(name)
      assert.deepStrictEqual(
        rows.map(({ row }) => row),
        Array.from({ length: 200 }, (_, i) => i + 1)
      )
      assert.deepStrictEqual(new Set(rows.map(({ provider }) => provider)), new Set(["openai", "groq", "cerebras"]))
      assert.isTrue(rows.every(({ text }) => typeof text === "string" && text !== ""))
    }
    assert.deepStrictEqual(
      results(out).map(({ text }) => text),
      results(join(folder, "movies-today.jsonl")).map(({ text }) => text),
      "the same answers"
    )
  })

  it("reports in one line, with exit code 1, that the results can't be written", async () => {
    const out = join(file(""), "results.jsonl")
    const { code, err } = await begin(["--limit", "5", "--latency", "0", "--out", out]).ended
    assert.strictEqual(code, 1)
    assert.match(err, /^clientele: can't write [^\n]+results\.jsonl: [^\n]+\n$/)
  })

  it("stops with Ctrl-C, children and all, and prints the number of rows", async () => {
    const out = join(folder, "stopped.jsonl")
    const { child, ended } = begin(["--limit", "3000", "--concurrency", "10", "--latency", "100", "--out", out])
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        try {
          if (results(out).length < 20) return
        } catch {
          return
        }
        clearInterval(timer)
        resolve()
      }, 20)
    })
    child.kill("SIGINT")
    const { code, out: said } = await ended
    assert.strictEqual(code, 130)
    const { length } = results(out)
    assert.isBelow(length, 3000)
    assert.include(said, `stopped; ${length} rows are in ${out}`)
  })

  it("asks a real provider about the rows of a file", async () => {
    await using sandbox = await Sandbox.start()
    const rows = file('{"title":"Alien","by":{"name":"Scott"}}\nnonsense\n{"title":"Brazil","by":{"name":"Gilliam"}}\n')
    const out = join(folder, "new", "real.jsonl")
    const args = ["--provider", "groq", "--model", "m", "--rows", rows, "--out", out, "--max-tokens", "3"]
    const env = { GROQ_API_KEY: "gsk-canary", GROQ_BASE_URL: sandbox.baseURL("groq") }
    const { code, err, out: said } = await begin([...args, "--prompt", "Sum up {{title}} of {{by.name}}"], env).ended
    assert.deepStrictEqual({ code, err }, { code: 1, err: "" })
    assert.match(said, /rows done +2\nrows failed +1\nclients built +1\ncache hits +1\npeak sockets, sampled +[12]\n/)
    assert.include(said, "most common error, groq: line 2 is invalid JSON")
    assert.include(said, `grep '"error"' ${out}`)
    assert.deepStrictEqual([...sandbox.stats().requestsByKey], [["gsk-canary", 2]])
    const [alien, bad, brazil] = results(out)
    assert.deepInclude(alien, { row: 1, provider: "groq", model: "m", usage: { input: 6, output: 3 } })
    assert.deepInclude(brazil, { row: 3, provider: "groq", model: "m" })
    assert.deepStrictEqual(Object.keys(bad ?? {}), ["row", "error"])

    const typo = await begin([...args, "--prompt", "Sum up {{titel}}"], env).ended
    assert.strictEqual(typo.code, 2)
    assert.strictEqual(typo.err, "the prompt asks for {{titel}}, which no row has; fields: title, by.name\n")
    const keyless = await begin([...args, "--prompt", "Sum up {{title}}"]).ended
    assert.strictEqual(keyless.code, 2)
    assert.match(keyless.err, /^groq: option apiKey is .*GROQ_API_KEY.*\n$/)
    assert.strictEqual(sandbox.stats().requests, 2, "nothing was sent")
  })
})
