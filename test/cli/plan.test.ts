/** Options of `clientele run`, before anything is loaded or sent. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { RUN_FLAGS, RUN_HELP } from "../../src/cli/run/flags.ts"
import { readPlan, type RunPlan } from "../../src/cli/run/plan.ts"
import { readSettings } from "../../src/cli/run/settings.ts"

const folder = mkdtempSync(join(tmpdir(), "clientele-plan-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
const file = (content: string): string => {
  const name = join(folder, `${++files}.json`)
  writeFileSync(name, content)
  return name
}

const KEYS = { OPENAI_API_KEY: "sk-1" }

const MODEL = ["--model", "openai:gpt-5-mini", "--prompt", "Sum up {{title}}"]

const plan = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = {}): RunPlan => {
  const all = { ...KEYS, ...env }
  return readPlan(readSettings(args, all), all)
}

const refusal = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = {}): string => {
  try {
    plan(args, env)
    return "none"
  } catch (error) {
    return (error as Error).message
  }
}

const modelOf = ({ work }: RunPlan) => (work.kind === "prompt" ? work.model : undefined)

describe("options of clientele run", () => {
  it("are each in its help", () => {
    const missing = Object.keys(RUN_FLAGS).filter((flag) => flag !== "rows" && !RUN_HELP.includes(`--${flag}`))
    assert.deepStrictEqual(missing, [])
  })

  it("have a help of at most 132 columns", () => {
    assert.deepStrictEqual(
      RUN_HELP.split("\n").filter((line) => line.length > 132),
      []
    )
  })

  it("have defaults", () => {
    assert.deepInclude(plan(["data/films.csv", ...MODEL]), {
      out: { file: "films.results.jsonl", format: "jsonl", keep: "none", order: "input", overwrite: false },
      journal: { file: "films.results.journal.jsonl", whenChanged: "refuse", fsync: undefined },
      retryFailed: false,
      cache: undefined,
      repeat: 1,
      display: "watch",
      dryRun: false
    })
    assert.deepInclude(plan(["-", ...MODEL, "--out", "-"]), { journal: undefined })
    assert.deepInclude(plan(["films.tsv.gz", ...MODEL, "--out", "out/films.csv"]).out, { format: "csv", keep: "all" })
  })

  it("may stand without a value where that has a meaning", () => {
    const bare = plan(["--retry-failed", "--fsync", "--cache", "films.csv", ...MODEL])
    assert.deepInclude(bare, { retryFailed: true, cache: ".clientele-cache" })
    assert.deepInclude(bare.journal, { fsync: 1000 })
    const given = plan(["films.csv", ...MODEL, "--retry-failed=length,Timeout", "--fsync=0", "--cache=kept"])
    assert.deepInclude(given, { retryFailed: ["length", "Timeout"], cache: "kept" })
    assert.deepInclude(given.journal, { fsync: 0 })
  })

  it("are numbers, shares, prices and parameters", () => {
    const prices = file('{"openai:gpt-5-mini": {"input": 1, "output": 2}}')
    const args = [
      "films.csv",
      ...MODEL,
      "--max-failures",
      "5%",
      "--max-tokens",
      "9",
      "--max-cost",
      "1.5",
      "--prices",
      prices
    ]
    const { bounds, work } = plan([...args, "--param", "temperature=0", "--param", "user=me", "--param", 'stop=["a"]'])
    assert.deepInclude(bounds, {
      maxCost: 1.5,
      stopAfter: { share: 0.05 },
      prices: { "openai:gpt-5-mini": { input: 1, output: 2 } }
    })
    const { params } = (work as Extract<RunPlan["work"], { kind: "prompt" }>).model
    assert.deepStrictEqual(params, { temperature: 0, user: "me", stop: ["a"], max_completion_tokens: 9 })
  })

  it("count by flag, then by environment, then by file", () => {
    const config = file(
      JSON.stringify({ model: "groq:file", maxTokens: 1, rpm: 3, param: { temperature: 0, top_p: 1 }, overwrite: true })
    )
    const env = {
      CLIENTELE_RUN_MODEL: "openai:environment",
      CLIENTELE_RUN_MAX_TOKENS: "2",
      CLIENTELE_RUN_CONFIG: config
    }
    const read = plan(["films.csv", "--prompt", "x", "--model", "openai:flag", "--param", "temperature=1"], env)
    assert.deepInclude(modelOf(read), {
      name: "flag",
      rpm: 3,
      params: { temperature: 1, top_p: 1, max_completion_tokens: 2 }
    })
    assert.isTrue(read.out.overwrite)
    assert.deepInclude(modelOf(plan(["films.csv", "--prompt", "x"], env)), { name: "environment" })
  })

  it("of a file give way to a flag that answers the same question", () => {
    const config = file(JSON.stringify({ model: "openai:m", prompt: "from the file" }))
    const prompt = file("from a flag")
    const { work } = plan(["films.csv", "--prompt-file", prompt, "--config", config])
    assert.deepInclude(work, { prompt: "from a flag" })
  })

  it("name models of other servers, with colons and without a key", () => {
    const own = plan(
      [
        "films.csv",
        "--prompt",
        "x",
        "--model",
        "llama3.2:3b",
        "--base-url",
        "http://localhost:11434/v1",
        "--max-tokens",
        "5"
      ],
      {
        OPENAI_API_KEY: ""
      }
    )
    assert.deepInclude(modelOf(own), {
      provider: "openai",
      name: "llama3.2:3b",
      isKeyless: true,
      params: { max_tokens: 5 }
    })
  })

  const wrong: ReadonlyArray<readonly [args: ReadonlyArray<string>, message: RegExp]> = [
    [[], /^no rows are given; name a file, or - for standard input/],
    [["films.csv", "more.csv", ...MODEL], /^unexpected argument "more\.csv" of run; one file of rows is expected/],
    [["films.csv", "--rows", "more.csv", ...MODEL], /^rows are given twice: "films\.csv" and --rows "more\.csv"$/],
    [["films.csv", "--model", "openai:m"], /^no question is given; add --prompt TEXT/],
    [["films.csv", "--model", "openai:m", "--prompt", " "], /^the prompt is empty; write what is asked of each row/],
    [["films.csv", ...MODEL, "--prompt-file", "x"], /^--prompt and --prompt-file are both given; choose one$/],
    [["films.csv", "--prompt", "x"], /^no model is given; add --model, for instance/],
    [
      ["films.csv", "--prompt", "x", "--model", "gpt-5"],
      /^--model is "gpt-5"; expected one of openai, azure, groq, cerebras before/
    ],
    [["films.csv", "--prompt", "x", "--model", "groq:"], /^--model is "groq:", without a model/],
    [
      ["films.csv", "--prompt", "x", "--model", "groq:m"],
      /^no key for groq: the variable GROQ_API_KEY is not set; set it, or/
    ],
    [["films.csv", ...MODEL, "--api-key-env", "MINE"], /^no key for openai: the variable MINE is not set/],
    [
      ["films.csv", ...MODEL, "--base-url", "localhost:8000"],
      /^--base-url is "localhost:8000"; expected for instance http/
    ],
    [["films.csv", ...MODEL, "--rpm", "many"], /^--rpm is "many"; expected a number from 1 up$/],
    [["films.csv", ...MODEL, "--limit", "1.5"], /^--limit is "1\.5"; expected a whole number from 1/],
    [["films.csv", ...MODEL, "--limit", "5", "--sample", "5"], /^--limit and --sample are both given; choose one$/],
    [["films.csv", ...MODEL, "--param", "temperature"], /^--param is "temperature"; expected NAME=VALUE/],
    [["films.csv", ...MODEL, "--param", "stream=true"], /^--param can't set stream; answers are read whole$/],
    [
      ["films.csv", ...MODEL, "--max-tokens", "5", "--param", "max_tokens=6"],
      /^--max-tokens and --param max_tokens are both given/
    ],
    [["films.csv", ...MODEL, "--max-cost", "5"], /^--max-cost needs a bound on answers; add --max-tokens N$/],
    [
      ["films.csv", ...MODEL, "--max-failures", "0"],
      /^--max-failures is "0"; expected a number from 1 up, or a share such as 5%$/
    ],
    [["films.csv", ...MODEL, "--out", "films.csv"], /^--out is the file of rows, films\.csv, which it would overwrite/],
    [
      ["films.csv", ...MODEL, "--out", "x.doc"],
      /^can't tell the format of --out x\.doc; name it \.jsonl, \.csv or \.tsv/
    ],
    [["films.csv", ...MODEL, "--out", "a.jsonl", "--journal", "./a.jsonl"], /^--journal and --out are one file/],
    [
      ["films.csv", ...MODEL, "--no-journal", "--retry-failed"],
      /^--retry-failed needs a journal; leave --no-journal out$/
    ],
    [["films.csv", ...MODEL, "--schema", "none.json"], /^--schema: can't read none\.json: no such file/],
    [
      ["films.csv", "--agent", "x.ts", "--rpm", "5"],
      /^--rpm does nothing with --agent, since an agent asks its models itself/
    ],
    [["films.csv", ...MODEL, "--config", "none.json"], /^can't read none\.json: no such file/]
  ]
  it.each(wrong)("that can't be used are refused in one line: %j", (args, message) => {
    const said = refusal(args)
    assert.match(said, message)
    assert.notInclude(said, "\n")
  })

  it("are refused by the name under which they were given", () => {
    const args = ["films.csv", ...MODEL]
    assert.match(refusal(args, { CLIENTELE_RUN_RPM: "many" }), /^CLIENTELE_RUN_RPM is "many"; expected a number/)
    assert.match(
      refusal(args, { CLIENTELE_RUN_MODLE: "m" }),
      /^CLIENTELE_RUN_MODLE is no option of run; did you mean CLIENTELE_RUN_MODEL\?/
    )
    const config = (content: string) => refusal([...args, "--config", file(content)])
    assert.match(config('{"rpm": "many"}'), /^"rpm" in .*\.json is "many"; expected a number/)
    assert.match(config('{"modle": "m"}'), /^"modle" in .*\.json is no option of run; did you mean "model"\?/)
    assert.match(config('{"rpm": [1]}'), /^"rpm" in .* is \[1\]; expected a text or a number$/)
    assert.match(config("{"), /\.json is invalid JSON: /)
    assert.match(config("[]"), /holds no JSON object/)
    const prices = file('{"openai:m": {"input": "1"}}')
    assert.match(
      refusal([...args, "--prices", prices]),
      /^--prices: the price of openai:m is \{"input":"1"\}; expected for instance/
    )
  })

  it("of keys are never repeated in messages", () => {
    const said = refusal(["films.csv", "--prompt", "x", "--model", "groq:m"], { OPENAI_API_KEY: "sk-canary" })
    assert.notInclude(said, "sk-canary")
  })
})
