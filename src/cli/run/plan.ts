/** Plans a run: reads its options and their files, and checks them. Nothing is sent, and no Effect is loaded. */
import { readFileSync, realpathSync } from "node:fs"
import { basename, resolve } from "node:path"
import type { Price } from "../../Batch.ts"
import { ioReason, UsageError } from "../exit.ts"
import { STDIN } from "../input/bytes.ts"
import { FORMATS, type Format } from "../input/format.ts"
import { OUT_FORMATS, type OutFormat, type OutPlan } from "../output/model.ts"
import { labelOf, number, oneOf, text, type Values } from "../usage.ts"
import { type ModelPlan, readModel } from "./modelPlan.ts"

export interface PromptPlan {
  readonly kind: "prompt"
  readonly prompt: string
  readonly system: string | undefined
  readonly schema: Readonly<Record<string, unknown>> | undefined
  readonly model: ModelPlan
}

export interface AgentPlan {
  readonly kind: "agent"
  readonly file: string
}

export interface JournalPlan {
  readonly file: string
  readonly whenChanged: "refuse" | "new"
  readonly fsync: number | undefined
}

interface BoundsPlan {
  readonly concurrency: number | "auto"
  readonly maxCost: number | undefined
  readonly stopAfter: { readonly failures?: number; readonly share?: number } | undefined
  readonly whenRefused: "stop" | "pause"
  readonly prices: Readonly<Record<string, Price>> | undefined
}

interface RowsPlan {
  readonly file: string
  readonly format: Format | undefined
  readonly encoding: string | undefined
  readonly limit: number | undefined
  readonly sample: number | undefined
  readonly seed: number
  readonly key: string | undefined
}

export interface RunPlan {
  readonly rows: RowsPlan
  readonly work: PromptPlan | AgentPlan
  readonly out: OutPlan
  readonly journal: JournalPlan | undefined
  readonly retryFailed: boolean | ReadonlyArray<string>
  readonly cache: string | undefined
  readonly repeat: number
  readonly bounds: BoundsPlan
  readonly display: "watch" | "quiet" | "json"
  readonly dryRun: boolean
}

const WHOLE = { min: 1, max: Number.MAX_SAFE_INTEGER, whole: true }

/** Reads a file that an option names. */
const fileOf = (values: Values, flag: string): string | undefined => {
  const file = text(values, flag)
  if (file === undefined) return undefined
  try {
    return readFileSync(file, "utf8").replace(/^\uFEFF/, "")
  } catch (error) {
    throw new UsageError(`${labelOf(values, flag)}: can't read ${file}: ${ioReason(error)}`)
  }
}

const jsonOf = (values: Values, flag: string): Readonly<Record<string, unknown>> | undefined => {
  const content = fileOf(values, flag)
  if (content === undefined) return undefined
  const file = text(values, flag)
  let parsed: unknown
  try {
    parsed = JSON.parse(content)
  } catch (error) {
    throw new UsageError(`${labelOf(values, flag)}: ${file} is invalid JSON: ${ioReason(error)}`)
  }
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>
  throw new UsageError(`${labelOf(values, flag)}: ${file} holds no JSON object`)
}

const oneOfTwo = (values: Values, inline: string, file: string): string | undefined => {
  if (values[inline] !== undefined && values[file] !== undefined) {
    throw new UsageError(`${labelOf(values, inline)} and ${labelOf(values, file)} are both given; choose one`)
  }
  return text(values, inline) ?? fileOf(values, file)
}

/** Options that belong to a model, which an agent chooses itself. */
const OF_MODELS = [
  "prompt",
  "prompt-file",
  "system",
  "system-file",
  "schema",
  "model",
  "base-url",
  "api-key-env",
  "api-version",
  "param",
  "max-tokens",
  "timeout",
  "rpm",
  "tpm",
  "max-cost"
]

const readWork = (values: Values, env: NodeJS.ProcessEnv): PromptPlan | AgentPlan => {
  const agent = text(values, "agent")
  if (agent !== undefined) {
    const stray = OF_MODELS.find((flag) => values[flag] !== undefined)
    if (stray === undefined) return { kind: "agent", file: agent }
    throw new UsageError(
      `${labelOf(values, stray)} does nothing with ${labelOf(values, "agent")}, since an agent asks its models itself; leave one out`
    )
  }
  const prompt = oneOfTwo(values, "prompt", "prompt-file")
  if (prompt === undefined)
    throw new UsageError("no question is given; add --prompt TEXT, --prompt-file FILE or --agent FILE")
  if (prompt.trim() === "")
    throw new UsageError("the prompt is empty; write what is asked of each row, such as Sum up {{title}}")
  return {
    kind: "prompt",
    prompt,
    system: oneOfTwo(values, "system", "system-file"),
    schema: jsonOf(values, "schema"),
    model: readModel(values, env)
  }
}

const OUT_BY_NAME: Readonly<Record<string, OutFormat>> = {
  jsonl: "jsonl",
  ndjson: "jsonl",
  json: "jsonl",
  csv: "csv",
  tsv: "tsv",
  tab: "tsv"
}

const readKeep = (values: Values, format: OutFormat): OutPlan["keep"] => {
  const given = text(values, "keep")
  if (given === undefined) return format === "jsonl" ? "none" : "all"
  if (given === "all" || given === "none") return given
  return given.split(",").map((name) => name.trim())
}

const readOut = (values: Values, rows: string): OutPlan => {
  const stem = rows === STDIN ? "stdin" : basename(rows).replace(/(\.\w+)?(\.gz)?$/i, "")
  const file = text(values, "out") ?? `${stem}.results.jsonl`
  const ending = /\.([^./\\]+)$/.exec(file.toLowerCase())?.[1] ?? ""
  const format =
    oneOf(values, "out-format", OUT_FORMATS) ?? OUT_BY_NAME[ending] ?? (file === STDIN ? "jsonl" : undefined)
  if (format === undefined) {
    throw new UsageError(`can't tell the format of --out ${file}; name it .jsonl, .csv or .tsv, or add --out-format`)
  }
  if (file !== STDIN && rows !== STDIN && isSameFile(file, rows)) {
    throw new UsageError(`--out is the file of rows, ${rows}, which it would overwrite; choose another`)
  }
  return {
    file,
    format,
    keep: readKeep(values, format),
    order: oneOf(values, "order", ["input", "completion"]) ?? "input",
    overwrite: values["overwrite"] === true
  }
}

const real = (file: string): string => {
  try {
    return realpathSync(file)
  } catch {
    return resolve(file)
  }
}

const isSameFile = (a: string, b: string): boolean => real(a) === real(b)

const readJournal = (values: Values, out: OutPlan): JournalPlan | undefined => {
  const given = text(values, "journal")
  if (values["no-journal"] === true) {
    if (given !== undefined) throw new UsageError("--journal and --no-journal are both given; choose one")
    const stray = ["new", "fsync", "retry-failed"].find((flag) => values[flag] !== undefined)
    if (stray !== undefined) throw new UsageError(`${labelOf(values, stray)} needs a journal; leave --no-journal out`)
    return undefined
  }
  if (given === undefined && out.file === STDIN) return undefined
  const file = given ?? `${out.file.replace(/\.(jsonl|ndjson|json|csv|tsv|tab)$/i, "")}.journal.jsonl`
  if (out.file !== STDIN && isSameFile(file, out.file)) {
    throw new UsageError(`--journal and --out are one file, ${file}; choose two`)
  }
  return {
    file,
    whenChanged: values["new"] === true ? "new" : "refuse",
    fsync: number(values, "fsync", { min: 0, unit: "milliseconds" })
  }
}

const readStopAfter = (values: Values): BoundsPlan["stopAfter"] => {
  const given = text(values, "max-failures")
  if (given === undefined) return undefined
  const share = /^(\d+(?:\.\d+)?)\s*%$/.exec(given.trim())
  const percent = Number(share?.[1])
  if (share !== null && percent > 0 && percent <= 100) return { share: percent / 100 }
  if (share === null && /^\d+$/.test(given) && Number(given) >= 1) return { failures: Number(given) }
  throw new UsageError(
    `${labelOf(values, "max-failures")} is ${JSON.stringify(given)}; expected a number from 1 up, or a share such as 5%`
  )
}

const isPrice = (value: unknown): value is Price => {
  if (typeof value !== "object" || value === null) return false
  const { cachedInput = 0, input, output, ...others } = value as Readonly<Record<string, unknown>>
  const figures = [input, output, cachedInput]
  return Object.keys(others).length === 0 && figures.every((figure) => typeof figure === "number" && figure >= 0)
}

const readPrices = (values: Values): BoundsPlan["prices"] => {
  const prices = jsonOf(values, "prices")
  for (const [model, price] of Object.entries(prices ?? {})) {
    if (isPrice(price)) continue
    const expected = `{"input": 0.59, "output": 0.79, "cachedInput": 0.3}, dollars for a million tokens`
    throw new UsageError(
      `--prices: the price of ${model} is ${JSON.stringify(price)}; expected for instance ${expected}`
    )
  }
  return prices as BoundsPlan["prices"]
}

const readConcurrency = (values: Values): number | "auto" =>
  values["concurrency"] === "auto" ? "auto" : (number(values, "concurrency", { ...WHOLE, max: 1_000_000 }) ?? "auto")

const readRows = (values: Values): RowsPlan => {
  const file = text(values, "rows")
  if (file === undefined)
    throw new UsageError("no rows are given; name a file, or - for standard input; see clientele run --help")
  if (values["limit"] !== undefined && values["sample"] !== undefined) {
    throw new UsageError("--limit and --sample are both given; choose one")
  }
  return {
    file,
    format: oneOf(values, "format", FORMATS),
    encoding: text(values, "encoding"),
    limit: number(values, "limit", WHOLE),
    sample: number(values, "sample", { ...WHOLE, max: 10_000_000 }),
    seed: number(values, "seed", { min: 0, max: 2 ** 32 - 1, whole: true }) ?? 0,
    key: text(values, "key")
  }
}

const retried = (given: string | undefined): boolean | ReadonlyArray<string> =>
  given === undefined ? false : given === "all" ? true : given.split(",").map((reason) => reason.trim())

export const readPlan = (values: Values, env: NodeJS.ProcessEnv): RunPlan => {
  const rows = readRows(values)
  const work = readWork(values, env)
  const out = readOut(values, rows.file)
  return {
    rows,
    work,
    out,
    journal: readJournal(values, out),
    retryFailed: retried(text(values, "retry-failed")),
    cache: text(values, "cache"),
    repeat: number(values, "repeat", { min: 1, max: 1_000_000, whole: true }) ?? 1,
    bounds: {
      concurrency: readConcurrency(values),
      maxCost: number(values, "max-cost", { min: 0, unit: "US dollars" }),
      stopAfter: readStopAfter(values),
      whenRefused: oneOf(values, "when-refused", ["stop", "pause"]) ?? "stop",
      prices: readPrices(values)
    },
    display: values["quiet"] === true ? "quiet" : values["json"] === true ? "json" : "watch",
    dryRun: values["dry-run"] === true
  }
}
