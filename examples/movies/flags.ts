/** The command line. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { basename, extname, resolve } from "node:path"
import { parseArgs } from "node:util"
import { type Job, providers } from "./chat.ts"

export const HELP = `usage: npm start
       npm start -- --provider P --model NAME --rows FILE --prompt TEXT

Without --provider: one agent for each of 3,201 movies, against a server on this machine, with clientele and then with a
client per agent. With it: one agent for each row of a file, for real, with the key from the environment.

  --provider P       openai, azure, groq or cerebras; with the variables of its SDK (GROQ_API_KEY, GROQ_BASE_URL, ...)
  --model NAME       the model (Azure: the deployment)
  --rows FILE        JSON lines, or one JSON array, of objects
  --prompt TEXT      question about each row; {{title}} and {{author.name}} are its fields
  --system TEXT      a system message (default none)
  --max-tokens N     longest answer (default: the model's own bound)

  --out FILE         file of results, a line of JSON each; overwritten (default out/NAME.jsonl)
  --concurrency N    agents at a time (default 1000)
  --limit N          rows at most (default all)
  --latency MS       latency of the server on this machine (default 2000)
  --help             this text
`

/** Called wrongly. The message says what would do. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

const options = {
  provider: { type: "string" },
  model: { type: "string" },
  rows: { type: "string" },
  prompt: { type: "string" },
  system: { type: "string" },
  "max-tokens": { type: "string" },
  out: { type: "string" },
  concurrency: { type: "string", default: "1000" },
  limit: { type: "string" },
  latency: { type: "string", default: "2000" },
  help: { type: "boolean", short: "h" }
} as const

interface Common {
  readonly out: string
  readonly concurrency: number
  readonly limit: number
}

export type Flags =
  | { readonly mode: "help" }
  | ({ readonly mode: "compare"; readonly latency: number } & Common)
  | ({ readonly mode: "real"; readonly job: Job; readonly rows: string; readonly prompt: string } & Common)

export const parse = (args: ReadonlyArray<string>): Effect.Effect<Flags, UsageError> =>
  Effect.try({
    try: () => read(args),
    catch: (error) =>
      error instanceof UsageError
        ? error
        : new UsageError({ message: `${(error as Error).message.split("\n")[0]}; see npm start -- --help` })
  })

const read = (args: ReadonlyArray<string>): Flags => {
  const { values } = parseArgs({ args: [...args], options })
  if (values.help === true) return { mode: "help" }
  const common = {
    concurrency: whole("--concurrency", values.concurrency, 1),
    limit: values.limit === undefined ? Number.MAX_SAFE_INTEGER : whole("--limit", values.limit, 1)
  }
  const { model, prompt, provider, rows, system } = values
  const maxTokens = values["max-tokens"]
  if ([provider, model, rows, prompt, system, maxTokens].every((value) => value === undefined)) {
    const latency = whole("--latency", values.latency, 0)
    return { mode: "compare", latency, out: values.out ?? "out/movies.jsonl", ...common }
  }
  if (provider === undefined || model === undefined || rows === undefined || prompt === undefined) {
    const missing = Object.entries({ provider, model, rows, prompt }).filter(([, value]) => value === undefined)
    const names = missing.map(([name]) => `--${name}`).join(", ")
    throw new UsageError({ message: `${names} missing; a real run takes --provider, --model, --rows and --prompt` })
  }
  const known = providers.find((name) => name === provider)
  if (known === undefined) {
    throw new UsageError({ message: `--provider is "${provider}"; expected one of ${providers.join(", ")}` })
  }
  const out = values.out ?? `out/${basename(rows, extname(rows))}.jsonl`
  if (resolve(out) === resolve(rows)) {
    throw new UsageError({ message: `the results would overwrite the rows in ${rows}; choose another --out` })
  }
  const job = {
    provider: known,
    model,
    system,
    maxTokens: maxTokens === undefined ? undefined : whole("--max-tokens", maxTokens, 1)
  }
  return { mode: "real", job, rows, prompt, out, ...common }
}

const whole = (flag: string, given: string, least: number): number => {
  const value = given.trim() === "" ? NaN : Number(given)
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new UsageError({ message: `${flag} is "${given}"; expected a whole number from ${least} up` })
}
