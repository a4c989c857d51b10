/** `clientele run` as its users meet it. */
import { mkdirSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { SAME_PRESS_MS } from "../../src/cli/run/interrupts.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { Folder, until } from "./support.ts"

let sandbox: Sandbox.Sandbox
let folder: Folder

beforeEach(async () => {
  sandbox = await Sandbox.start({ tokens: 4 })
  folder = new Folder({ OPENAI_API_KEY: "sk-canary", OPENAI_BASE_URL: sandbox.baseURL("openai") })
})
afterEach(async () => {
  folder.dispose()
  await sandbox.close()
})

const MODEL = ["--model", "openai:gpt-5-mini", "--prompt", "Sum up {{title}}"]

const films = (count: number): string =>
  `title,year\n${Array.from({ length: count }, (_, i) => `Film ${i},${1900 + i}\n`).join("")}`

const answers = (name: string): ReadonlyArray<unknown> => folder.records(name).map(({ answer }) => answer)

const lineCount = (text: string): number => text.trimEnd().split("\n").length

describe("clientele run", () => {
  it("writes an answer for each row, in the order of the input", async () => {
    folder.write("films.csv", films(50))
    const { code, err, out } = await folder.run("run", "films.csv", ...MODEL, "--out", "out.jsonl")
    assert.deepStrictEqual([code, out], [0, ""])
    assert.match(
      err,
      /^50 rows answered in 0:0\d\n.* tokens in, 200 out; cost unknown\nresults: out\.jsonl, journal: out\.journal\.jsonl\n$/
    )
    const records = folder.records("out.jsonl")
    assert.deepStrictEqual(
      records.map(({ index }) => index),
      Array.from({ length: 50 }, (_, i) => i)
    )
    assert.isTrue(records.every(({ answer, status }) => status === "done" && typeof answer === "string"))
    assert.deepStrictEqual(records[0]?.["usage"], { input: 4, output: 4, cachedInput: 0 })
    assert.strictEqual(sandbox.stats().requests, 50)
  })

  it("sends nothing again for a run that is done, and writes its results anew, in another form too", async () => {
    folder.write("films.csv", films(20))
    await folder.run("run", "films.csv", ...MODEL, "--out", "out.jsonl")
    const first = folder.read("out.jsonl")
    rmSync(join(folder.path, "out.jsonl"))
    const again = await folder.run("run", "films.csv", ...MODEL, "--out", "out.jsonl")
    assert.match(again.err, /20 rows answered in .*; 20 out of the journal\n/)
    assert.strictEqual(folder.read("out.jsonl"), first)
    await folder.run("run", "films.csv", ...MODEL, "--out", "out.csv")
    assert.match(folder.read("out.csv"), /^title,year,answer,status,error\nFilm 0,1900,(\w+ ){3}\w+,done,\n/)
    assert.strictEqual(sandbox.stats().requests, 20)
  })

  it("does rows that were added to the input, and no others", async () => {
    folder.write("films.csv", films(5))
    await folder.run("run", "films.csv", ...MODEL, "--out", "out.jsonl")
    folder.write("films.csv", films(8))
    const { err } = await folder.run("run", "films.csv", ...MODEL, "--out", "out.jsonl")
    assert.match(err, /8 rows answered in .*; 5 out of the journal\n/)
    assert.strictEqual(sandbox.stats().requests, 8)
  })

  it("records a malformed row as failed, and goes on", async () => {
    folder.write("rows.jsonl", '{"title":"Alien"}\nnonsense\n{"title":"Brazil"}\n{"year":1985}\n')
    const { code, err } = await folder.run("run", "rows.jsonl", ...MODEL, "--out", "out.jsonl")
    assert.strictEqual(code, 1)
    assert.match(err, /2 rows answered in .*; 2 failed \(bad_row 1, missing_column 1\)\n/)
    assert.match(err, /to do failed rows again: clientele run rows\.jsonl .* --retry-failed\n$/)
    const records = folder.records("out.jsonl")
    assert.deepStrictEqual(
      records.map(({ status }) => status),
      ["done", "failed", "done", "failed"]
    )
    assert.match(JSON.stringify(records[1]?.["error"]), /"reason":"bad_row","message":"line 2 is invalid JSON: /)
  })

  it("answers two equal rows each", async () => {
    folder.write("rows.csv", "title\nAlien\nAlien\n")
    await folder.run("run", "rows.csv", ...MODEL, "--out", "out.jsonl")
    assert.strictEqual(answers("out.jsonl").length, 2)
    assert.strictEqual(sandbox.stats().requests, 2)
    await folder.run("run", "rows.csv", ...MODEL, "--out", "out.jsonl")
    assert.strictEqual(sandbox.stats().requests, 2)
  })

  it("has nothing to do for an empty file, or a header alone", async () => {
    for (const [name, content] of [
      ["empty.csv", ""],
      ["header.csv", "title,year\n"],
      ["empty.jsonl", ""]
    ] as const) {
      folder.write(name, content)
      const { code, err } = await folder.run("run", name, ...MODEL, "--out", `${name}.out.csv`)
      assert.strictEqual(code, 0, err)
      assert.match(err, /^0 rows answered/)
      assert.match(folder.read(`${name}.out.csv`), /^(title,year,)?answer,status,error\n$/)
    }
  })

  it("reads standard input, gzip and a sample, and writes standard output", async () => {
    const running = folder.begin(["run", "-", ...MODEL, "--format", "csv", "--out", "-", "--quiet"])
    running.child.stdin.end(films(3))
    const { code, err, out } = await running.ended
    assert.deepStrictEqual([code, err, lineCount(out)], [0, "", 3])
    assert.deepStrictEqual(readdirSync(folder.path), [])
    folder.write("films.csv.gz", gzipSync(films(100)))
    await folder.run("run", "films.csv.gz", ...MODEL, "--sample", "7", "--out", "out.jsonl", "--keep", "title")
    const titles = folder.records("out.jsonl").map(({ row }) => (row as { title: string }).title)
    assert.strictEqual(new Set(titles).size, 7)
    assert.notDeepEqual(titles, ["Film 0", "Film 1", "Film 2", "Film 3", "Film 4", "Film 5", "Film 6"])
  })

  it("checks answers by a schema, each property a column, and takes them from the cache of another run", async () => {
    folder.write("films.csv", films(3))
    folder.write(
      "schema.json",
      JSON.stringify({
        type: "object",
        properties: { kind: { enum: ["good", "bad"] }, year: { type: "integer", minimum: 1, maximum: 5 } },
        required: ["kind", "year"],
        additionalProperties: false
      })
    )
    const asked = ["run", "films.csv", ...MODEL, "--schema", "schema.json", "--cache"]
    const { code, err } = await folder.run(...asked, "--out", "out.csv")
    assert.strictEqual(code, 0, err)
    assert.match(
      folder.read("out.csv"),
      /^title,year,kind,answer_year,status,error\n(Film \d,190\d,(good|bad),[1-5],done,\n){3}$/
    )
    const { requests } = sandbox.stats()
    const again = await folder.run(...asked, "--out", "again.jsonl")
    // Their tokens were spent by the other run.
    assert.match(again.err, /3 rows answered in .*; 3 from the cache\n0 tokens in, 0 out; \$0\.00\n/)
    assert.strictEqual(sandbox.stats().requests, requests)
  })

  it("asks as often as --repeat tells", async () => {
    folder.write("films.csv", films(2))
    await folder.run("run", "films.csv", ...MODEL, "--repeat", "2", "--out", "out.csv", "--keep", "title")
    assert.match(
      folder.read("out.csv"),
      /^title,repeat,answer,status,error\nFilm 0,1,.*\nFilm 0,2,.*\nFilm 1,1,.*\nFilm 1,2,.*\n$/
    )
    assert.strictEqual(sandbox.stats().requests, 4)
  })

  it("stops at --max-cost, and names what would go on", async () => {
    folder.write("films.csv", films(200))
    folder.write("prices.json", '{"openai:gpt-5-mini": {"input": 1000, "output": 1000}}')
    const bound = ["--max-tokens", "8", "--prices", "prices.json", "--max-cost", "0.5"]
    const { code, err } = await folder.run("run", "films.csv", ...MODEL, ...bound, "--out", "out.jsonl")
    assert.strictEqual(code, 3)
    assert.match(err, /\nstopped; to go on, with a higher --max-cost: clientele run films\.csv /)
    assert.match(err, /\nclientele: maxCost of \$0\.500 leaves .*\. Raise it and run again, which goes on from here\n$/)
  })

  it("does failed rows again by their reasons", async () => {
    folder.write("films.csv", films(2))
    const asked = ["run", "films.csv", ...MODEL, "--max-tokens", "2", "--out", "out.jsonl"]
    const first = await folder.run(...asked)
    assert.strictEqual(first.code, 1)
    assert.match(first.err, /2 failed \(length 2\)/)
    await folder.run(...asked)
    await folder.run(...asked, "--retry-failed=content_filter")
    assert.strictEqual(sandbox.stats().requests, 2)
    await folder.run(...asked, "--retry-failed=length")
    assert.strictEqual(sandbox.stats().requests, 4)
  })

  it("keeps cells with quotes, line ends and emoji beside their answers", async () => {
    folder.write("rows.csv", '\uFEFFtitle,answer\r\n"A ""quoted"", long\r\ntitle \u{1F600}",mine\r\n')
    const { code } = await folder.run("run", "rows.csv", ...MODEL, "--out", "out.csv")
    assert.strictEqual(code, 0)
    assert.match(
      folder.read("out.csv"),
      /^title,answer,answer_answer,status,error\n"A ""quoted"", long\r\ntitle \u{1F600}",mine,(\w+ ){3}\w+,done,\n$/u
    )
    assert.strictEqual(sandbox.stats().log[0]?.path, "/v1/chat/completions")
  })
})

describe("clientele run, called wrongly", () => {
  it.each([
    [["none.csv", ...MODEL], /can't read none\.csv: no such file/],
    [["films.csv", ...MODEL, "--modle", "m"], /unknown option --modle of run; did you mean --model\?/],
    [
      ["films.csv", ...MODEL, "--keep", "titel", "--out", "x.csv"],
      /--keep names "titel", which no row has; columns: title, year/
    ],
    [
      ["films.csv", "--model", "openai:m", "--prompt", "{{titel}}"],
      /the prompt asks for \{\{titel\}\}, a column that films\.csv does not have; did you mean \{\{title\}\}\? columns: title, year/
    ],
    [["films.csv", ...MODEL, "--key", "id"], /--key is \{\{id\}\}, a column that films\.csv does not have/],
    [["films.csv", "--agent", "none.ts"], /can't read --agent none\.ts: no such file/],
    [["films.csv", "--agent", "films.csv"], /--agent is "films\.csv"; expected a module/],
    [
      ["films.csv", ...MODEL, "--max-cost", "5", "--max-tokens", "9"],
      /--max-cost needs the price of openai:gpt-5-mini at this address/
    ]
  ] as const)("refuses %j in one line, with exit code 2, and sends nothing", async (args, message) => {
    folder.write("films.csv", films(3))
    const { code, err, out } = await folder.run("run", ...args)
    assert.match(err, message)
    assert.match(err, /^clientele: [^\n]+\n$/)
    assert.deepStrictEqual([code, out], [2, ""])
    assert.strictEqual(sandbox.stats().requests, 0)
    assert.deepStrictEqual(readdirSync(folder.path), ["films.csv"])
  })

  it("leaves a file of results alone that is not of its run", async () => {
    folder.write("films.csv", films(3))
    folder.write("out.jsonl", "precious\n")
    const refused = await folder.run("run", "films.csv", ...MODEL, "--out", "out.jsonl")
    assert.strictEqual(refused.code, 2)
    assert.match(refused.err, /out\.jsonl exists and is not of this run; choose another --out, or add --overwrite/)
    assert.strictEqual(folder.read("out.jsonl"), "precious\n")
    const { code } = await folder.run("run", "films.csv", ...MODEL, "--out", "out.jsonl", "--overwrite")
    assert.deepStrictEqual([code, answers("out.jsonl").length], [0, 3])
  })

  it("refuses another question for a journal, with the difference, or begins anew beside it", async () => {
    folder.write("films.csv", films(3))
    await folder.run("run", "films.csv", ...MODEL, "--out", "out.jsonl")
    const first = folder.read("out.jsonl")
    const other = [
      "run",
      "films.csv",
      "--model",
      "openai:gpt-5-mini",
      "--prompt",
      "Rate {{title}}",
      "--out",
      "out.jsonl"
    ]
    const refused = await folder.run(...other)
    assert.strictEqual(refused.code, 2)
    assert.match(
      refused.err,
      /out\.journal\.jsonl is of another run: prompt was "Sum up \{\{title\}\}" and is "Rate \{\{title\}\}"\. .* add --new/
    )
    const anew = await folder.run(...other, "--new")
    assert.match(anew.err, /results: out\.2\.jsonl, journal: out\.journal\.2\.jsonl/)
    assert.deepStrictEqual([anew.code, folder.read("out.jsonl")], [0, first])
    assert.strictEqual(answers("out.2.jsonl").length, 3)
  })
})

/** Finished rows. The journal's first line is its header. */
const recorded = (): number => folder.records("out.journal.jsonl").length - 1

describe("clientele run, interrupted", () => {
  const args = ["run", "films.csv", ...MODEL, "--out", "out.jsonl", "--concurrency", "10"]
  const env = { OPENAI_CUSTOM_HEADERS: "x-sandbox-latency: 60" }

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143]
  ] as const)(
    "by %s finishes what it has begun, tells how to go on, and then does the rest",
    async (signal, exitCode) => {
      folder.write("films.csv", films(300))
      const running = folder.begin(args, env)
      await until(() => recorded() >= 30)
      running.child.kill(signal)
      const { code, err } = await running.ended
      assert.strictEqual(code, exitCode)
      assert.include(err, "stopped; to go on: clientele run films.csv ")
      const done = recorded()
      assert.isBelow(done, 300)
      assert.strictEqual(sandbox.stats().requests, done, "each request is in the journal")
      assert.strictEqual(answers("out.jsonl").length, done)
      assert.strictEqual((await folder.begin(args).ended).code, 0)
      assert.strictEqual(sandbox.stats().requests, 300)
      assert.strictEqual(answers("out.jsonl").length, 300)
    }
  )

  it("by SIGINT ends while a pipe of rows is idle", async () => {
    const running = folder.begin(["run", "-", ...MODEL, "--format", "csv", "--out", "out.jsonl"])
    // It begins once it has seen some thousand rows.
    running.child.stdin.write(films(1_100))
    await until(() => recorded() >= 1_000)
    running.child.kill("SIGINT")
    assert.strictEqual((await running.ended).code, 130)
  })

  it("goes on without those who watched it", async () => {
    folder.write("films.csv", films(300))
    const running = folder.begin([...args, "--json"], env)
    running.child.stdout.destroy()
    running.child.stderr.destroy()
    assert.strictEqual((await running.ended).code, 0)
    assert.strictEqual(recorded(), 300)
  })

  it("by a signal tells what keeps its rows, and what ends them", async () => {
    folder.write("films.csv", films(3))
    const running = folder.begin(args, { OPENAI_BASE_URL: "http://127.0.0.1:9/v1" })
    await until(() => running.err().includes("warning: http://127.0.0.1:9: circuit opened"))
    assert.notInclude(running.err(), "fiber=")
    running.child.kill("SIGINT")
    await until(() => /still at work: http:.* does not respond; .*; Ctrl-C again stops at once/.test(running.err()))
    running.child.kill("SIGINT")
    const { code } = await running.ended
    assert.strictEqual(code, 130)
  })

  it("by a second signal stops at once", async () => {
    folder.write("films.csv", films(300))
    const running = folder.begin(args, { OPENAI_CUSTOM_HEADERS: "x-sandbox-latency: 30000" })
    await until(() => sandbox.stats().requests >= 10)
    running.child.kill("SIGINT")
    await until(() => running.err().includes("stopping"))
    // Signals before that are the same press of keys.
    await new Promise((resolve) => setTimeout(resolve, SAME_PRESS_MS))
    running.child.kill("SIGINT")
    const { code, err } = await running.ended
    assert.strictEqual(code, 130)
    assert.include(err, "stopped; to go on: ")
  })

  it("by kill -9 loses no row that was recorded, and does none of them twice", async () => {
    folder.write("films.csv", films(300))
    const running = folder.begin(args, env)
    await until(() => recorded() >= 50)
    running.child.kill("SIGKILL")
    await running.ended
    const done = recorded()
    const { requests } = sandbox.stats()
    const { code } = await folder.begin(args).ended
    assert.strictEqual(code, 0)
    assert.strictEqual(new Set(folder.records("out.jsonl").map(({ index }) => index)).size, 300)
    assert.strictEqual(sandbox.stats().requests - requests, 300 - done)
    assert.isAtLeast(done, 50)
  })

  it("is alone with its journal: another run is refused, and told whose it is", async () => {
    folder.write("films.csv", films(300))
    const running = folder.begin(args, { OPENAI_CUSTOM_HEADERS: "x-sandbox-latency: 30000" })
    await until(() => sandbox.stats().requests >= 10)
    const second = await folder.run(...args)
    assert.strictEqual(second.code, 5)
    assert.match(second.err, new RegExp(`^clientele: [^\\n]*${running.child.pid}[^\\n]*\\n$`))
  })
})

describe("clientele run, with files that fail", () => {
  it("reports a full disk in one line, with exit code 4, and goes on once there is room", async () => {
    folder.write("films.csv", films(50))
    const args = ["run", "films.csv", ...MODEL, "--journal", "run.journal.jsonl"]
    const full = await folder.run(...args, "--out", "/dev/full", "--out-format", "jsonl", "--overwrite")
    assert.strictEqual(full.code, 4)
    assert.match(full.err, /clientele: can't write \/dev\/full: the disk is full; free some space; [^\n]+\n$/)
    const { code } = await folder.run(...args, "--out", "out.jsonl", "--overwrite")
    assert.deepStrictEqual([code, answers("out.jsonl").length], [0, 50])
    assert.isAtMost(sandbox.stats().requests, 100)
  })

  it("refuses results that can't be written before it sends anything", async () => {
    folder.write("films.csv", films(3))
    const { code, err } = await folder.run("run", "films.csv", ...MODEL, "--out", "films.csv/out.jsonl")
    assert.strictEqual(code, 4)
    assert.match(err, /^clientele: can't [^\n]*films\.csv\/out[^\n]+\n$/)
    mkdirSync(join(folder.path, "folder.jsonl"))
    const isFolder = await folder.run("run", "films.csv", ...MODEL, "--out", "folder.jsonl", "--overwrite")
    assert.strictEqual(isFolder.code, 4)
    assert.match(isFolder.err, /can't write folder\.jsonl: it is a folder/)
    assert.strictEqual(sandbox.stats().requests, 0)
  })
})

describe("clientele run, with a key that dies", () => {
  const args = ["run", "films.csv", ...MODEL, "--out", "out.jsonl", "--concurrency", "5"]
  const slow = { OPENAI_CUSTOM_HEADERS: "x-sandbox-latency: 40" }

  it("in mid-run stops with the reason and exit code 3, and goes on when the key is fixed", async () => {
    folder.write("films.csv", films(100))
    const running = folder.begin(args, slow)
    await until(() => recorded() >= 10)
    sandbox.apiKeys(["sk-good"])
    const dead = await running.ended
    assert.strictEqual(dead.code, 3)
    assert.match(dead.err, /stopped; to go on: .*\nclientele: [^\n]*(key|401)[^\n]*\n$/)
    assert.notInclude(dead.err, "sk-canary")
    assert.isTrue(folder.records("out.jsonl").every(({ status }) => status === "done"))
    const { code } = await folder.begin(args, { OPENAI_API_KEY: "sk-good" }).ended
    assert.deepStrictEqual([code, answers("out.jsonl").length], [0, 100])
  })

  it("pauses if it is to, and goes on by itself when the key is let in", async () => {
    folder.write("films.csv", films(100))
    const running = folder.begin([...args, "--when-refused", "pause", "--json"], slow)
    let out = ""
    running.child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()))
    await until(() => recorded() >= 10)
    sandbox.apiKeys(["sk-good"])
    await until(() => out.includes('"by":"refused"'))
    sandbox.apiKeys(undefined)
    assert.strictEqual((await running.ended).code, 0)
    assert.isTrue(folder.records("out.jsonl").every(({ status }) => status === "done"))
    assert.strictEqual(answers("out.jsonl").length, 100)
  })
})

describe("clientele run, for other providers", () => {
  it("asks Groq, Cerebras, Azure, and servers of one's own without a key", async () => {
    folder.write("films.csv", films(2))
    const prompt = ["--prompt", "Sum up {{title}}"]
    const ask = (model: string, env: Readonly<Record<string, string>>, ...more: ReadonlyArray<string>) =>
      folder.begin(
        ["run", "films.csv", ...prompt, "--model", model, "--out", `${model.replace(/\W/g, "-")}.jsonl`, ...more],
        {
          OPENAI_API_KEY: "",
          OPENAI_BASE_URL: "",
          ...env
        }
      ).ended
    const ended = await Promise.all([
      ask("groq:llama-3.3-70b-versatile", { GROQ_API_KEY: "gsk-1" }, "--base-url", sandbox.baseURL("groq")),
      ask("cerebras:gpt-oss-120b", { CEREBRAS_API_KEY: "csk-1" }, "--base-url", sandbox.baseURL("cerebras")),
      ask(
        "azure:my-deployment",
        { AZURE_OPENAI_API_KEY: "az-1" },
        "--base-url",
        sandbox.origin,
        "--api-version",
        "2024-10-21"
      ),
      ask("qwen3:8b", {}, "--base-url", sandbox.baseURL("openai"), "--max-tokens", "8", "--param", "temperature=0")
    ])
    assert.deepStrictEqual(
      ended.map(({ code, err }) => (code === 0 ? 0 : err)),
      [0, 0, 0, 0]
    )
    assert.deepStrictEqual(
      sandbox
        .stats()
        .log.map(({ path }) => path.split("?")[0])
        .toSorted(),
      [
        "/openai/deployments/my-deployment/chat/completions",
        "/openai/deployments/my-deployment/chat/completions",
        "/openai/v1/chat/completions",
        "/openai/v1/chat/completions",
        "/v1/chat/completions",
        "/v1/chat/completions",
        "/v1/chat/completions",
        "/v1/chat/completions"
      ]
    )
  })
})

const EFFECT = new URL("../../node_modules/effect/dist/esm/Effect.js", import.meta.url).href

describe("clientele run --agent", () => {
  const agents: ReadonlyArray<readonly [kind: string, file: string, source: string]> = [
    ["a function", "agent.ts", "export default (row: { title: string }) => `seen ${row.title}`"],
    ["a promise", "agent.mjs", "export default async ({ title }) => `seen ${title}`"],
    [
      "an Effect",
      "agent.ts",
      'import * as Effect from "effect/Effect"\nexport default (row: { title: string }) => Effect.succeed(`seen ${row.title}`)'
    ],
    ["CommonJS", "agent.cjs", "module.exports = ({ title }) => `seen ${title}`"]
  ]
  it.each(agents)("runs %s for each row", async (_, file, source) => {
    folder.write("films.csv", films(3))
    // A folder without node_modules.
    folder.write(file, source.replace('"effect/Effect"', JSON.stringify(EFFECT)))
    const { code, err } = await folder.run("run", "films.csv", "--agent", file, "--out", "out.jsonl")
    assert.strictEqual(code, 0, err)
    assert.deepStrictEqual(answers("out.jsonl"), ["seen Film 0", "seen Film 1", "seen Film 2"])
  })

  it("counts what an agent reports, and records its errors by name", async () => {
    folder.write("films.csv", films(3))
    folder.write(
      "agent.mjs",
      `export const version = "1"
       class Unclear extends Error { name = "Unclear" }
       export default async ({ title }, { report }) => {
         report({ model: "m", usage: { prompt_tokens: 2, completion_tokens: 1 } })
         if (title === "Film 1") throw new Unclear("no idea")
         return { title }
       }`
    )
    const { code, err } = await folder.run("run", "films.csv", "--agent", "agent.mjs", "--out", "out.jsonl")
    assert.strictEqual(code, 1)
    assert.match(err, /2 rows answered in .*; 1 failed \(Unclear 1\)\n6 tokens in, 3 out; cost unknown\n/)
    assert.deepStrictEqual(answers("out.jsonl"), [{ title: "Film 0" }, undefined, { title: "Film 2" }])
  })

  it("begins anew once the agent's file is another, unless its version is the same", async () => {
    folder.write("films.csv", films(2))
    const args = ["run", "films.csv", "--agent", "agent.mjs", "--out", "out.jsonl"]
    folder.write("agent.mjs", "export default () => 1")
    await folder.run(...args)
    folder.write("agent.mjs", "export default () => 2")
    const changed = await folder.run(...args)
    assert.strictEqual(changed.code, 2)
    assert.match(changed.err, /is of another run: version was "[^"]+" and is "[^"]+"\./)
  })
})

describe("clientele run --json", () => {
  it("prints lines of JSON, the last of which has the exit code and the figures", async () => {
    folder.write("films.csv", films(30))
    const { code, err, out } = await folder.run("run", "films.csv", ...MODEL, "--out", "out.jsonl", "--json")
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line): Readonly<Record<string, unknown>> => JSON.parse(line))
    assert.deepStrictEqual([code, err], [0, ""])
    assert.deepInclude(lines.at(-1), {
      event: "end",
      exitCode: 0,
      error: null,
      done: 30,
      failed: 0,
      ended: "complete",
      out: "out.jsonl",
      journal: "out.journal.jsonl",
      clientsBuilt: 1
    })
    assert.isTrue(lines.slice(0, -1).every(({ event }) => event === "progress"))
  })
})

describe("clientele run --dry-run", () => {
  it("shows prompts and an estimate with its bounds, and sends nothing", async () => {
    folder.write("films.csv", films(2000))
    const args = ["run", "films.csv", ...MODEL, "--dry-run", "--max-tokens", "10"]
    const { code, err, out } = await folder.run(...args)
    assert.deepStrictEqual([code, err], [0, ""])
    assert.match(out, /^row 1, user\n {4}Sum up Film 0\n\nrow 2, user\n {4}Sum up Film 1\n\nrow 3, user\n/)
    assert.match(
      out,
      /2,000 rows of films\.csv; nothing was sent\ntokens in: [\d.]+K( to [\d.]+K)? \(1000 prompts counted/
    )
    assert.match(
      out,
      /tokens out: 2K to 20K\ncost: unknown, since the price of openai:gpt-5-mini at this address is; add --prices FILE\n$/
    )
    folder.write("prices.json", '{"openai:gpt-5-mini": {"input": 1, "output": 2}}')
    const priced = await folder.run(...args, "--prices", "prices.json")
    assert.match(priced.out, /cost: \$0\.0\d+ to \$0\.0\d+ \(\$1\.00 and \$2\.00 for a million tokens in and out/)
    const unbound = await folder.run("run", "films.csv", ...MODEL, "--dry-run")
    assert.match(unbound.out, /tokens out: unknown, since nothing bounds an answer; add --max-tokens/)
    assert.strictEqual(sandbox.stats().requests, 0)
    assert.deepStrictEqual(readdirSync(folder.path).toSorted(), ["films.csv", "prices.json"])
  })
})

describe("clientele stats", () => {
  it("sums up a journal, by its own name or that of the results", async () => {
    folder.write("rows.jsonl", '{"title":"Alien"}\nnonsense\n{"title":"Brazil"}\n')
    await folder.run("run", "rows.jsonl", ...MODEL, "--out", "out.jsonl")
    const people = await folder.run("stats", "out.jsonl")
    assert.match(
      people.out,
      /\nprompt +Sum up \{\{title\}\}\nrows answered +2\nrows failed +1\n {2}bad_row +1, such as: line 2 is invalid JSON/
    )
    assert.match(people.out, /\ntokens out +8\ncost +unknown\n/)
    const { code, out } = await folder.run("stats", "out.journal.jsonl", "--json")
    assert.strictEqual(code, 0)
    assert.deepInclude(JSON.parse(out), { done: 2, failed: 1, attempts: 2, models: ["gpt-5-mini"], damaged: 0 })
    const none = await folder.run("stats", "none.jsonl")
    assert.deepStrictEqual([none.code, lineCount(none.err)], [2, 1])
  })
})
