/** Options of `clientele run`, and its help. */
import type { ParseArgsOptionsConfig } from "node:util"

const text = { type: "string" } as const
const texts = { type: "string", multiple: true } as const
const yes = { type: "boolean" } as const

export const RUN_FLAGS = {
  rows: text,
  format: text,
  encoding: text,
  key: text,
  limit: text,
  sample: text,
  seed: text,
  prompt: text,
  "prompt-file": text,
  system: text,
  "system-file": text,
  schema: text,
  agent: text,
  model: text,
  "base-url": text,
  "api-key-env": text,
  "api-version": text,
  param: texts,
  "max-tokens": text,
  timeout: text,
  rpm: text,
  tpm: text,
  concurrency: text,
  "max-cost": text,
  "max-failures": text,
  "when-refused": text,
  prices: text,
  out: text,
  "out-format": text,
  keep: text,
  order: text,
  overwrite: yes,
  journal: text,
  "no-journal": yes,
  new: yes,
  fsync: text,
  "retry-failed": text,
  cache: text,
  repeat: text,
  "dry-run": yes,
  quiet: yes,
  json: yes,
  config: text,
  help: { type: "boolean", short: "h" }
} as const satisfies ParseArgsOptionsConfig

export type RunFlag = keyof typeof RUN_FLAGS

/** Flags that may stand without a value, and the value that they then have. */
export const BARE_VALUES: Readonly<Record<string, string>> = {
  "retry-failed": "all",
  fsync: "1000",
  cache: ".clientele-cache"
}

export const RUN_HELP = `usage: clientele run ROWS --model PROVIDER:NAME --prompt TEXT [options]
       clientele run ROWS --agent FILE [options]

Asks a model, or runs an agent, once for each row of a file, and writes a file of results. Interrupted, by Ctrl-C or kill -9,
the same command goes on where it was: finished rows are neither sent nor paid again.

rows
  ROWS                 JSON lines, a JSON array, CSV or TSV, also gzipped; - is standard input
  --format F           jsonl, json, csv or tsv (default: by name, else by content)
  --encoding NAME      such as windows-1252 (default UTF-8)
  --key COLUMN         a column that names each row (default: a row is known by its content)
  --limit N            the first N rows
  --sample N           N rows drawn at random; --seed S (default 0) draws others

what is asked
  --prompt TEXT        {{column}} is a row's column, {{author.name}} a field within one
  --prompt-file FILE   the same from a file
  --system TEXT        system message, with columns as well; --system-file FILE
  --schema FILE        JSON schema of the answer: checked, and asked for once more if it does not fit
  --agent FILE         a module (.ts, .js) whose default export is called with each row, and returns the answer, a promise or
                       an Effect; it may export version, a text that changes when its answers would (default: a hash of the file)

model
  --model P:NAME       openai:NAME, azure:DEPLOYMENT, groq:NAME or cerebras:NAME; the key comes from OPENAI_API_KEY,
                       AZURE_OPENAI_API_KEY, GROQ_API_KEY or CEREBRAS_API_KEY
  --base-url URL       another server of this API, such as vLLM or Ollama; NAME alone is then a model of it
  --api-key-env NAME   variable with the key
  --api-version V      Azure's (default OPENAI_API_VERSION)
  --param NAME=VALUE   a parameter of the request, repeatable: --param temperature=0
  --max-tokens N       longest answer
  --timeout SECONDS    to the first byte of an answer (default 600)

pace and bounds
  --concurrency N      rows at a time, or auto (default auto: what quota and sockets allow)
  --rpm N, --tpm N     requests and tokens a minute (default: what the provider's headers allow)
  --max-cost DOLLARS   never spend more; needs --max-tokens and a known price
  --max-failures N     stop after N failed rows, or a share such as 5% (default: go on)
  --when-refused W     stop, or pause until it works, when key or account is refused (default stop)
  --prices FILE        {"groq:NAME": {"input": 0.59, "output": 0.79, "cachedInput": 0.3}}, dollars for a million tokens

results
  --out FILE           results; .jsonl, .csv or .tsv, - is standard output (default NAME.results.jsonl)
  --out-format F       jsonl, csv or tsv (default: by name)
  --keep COLUMNS       input columns beside the answer: all, none or a,b (default: all in CSV and TSV, none in JSON lines)
  --order O            input, or completion: as they come (default input)
  --overwrite          replace a file --out that is not of this run
  --journal FILE       what is finished (default OUT.journal.jsonl); --no-journal does without
  --new                if prompt, model or schema have changed, begin anew beside the old run (default: refuse)
  --fsync[=MS]         survive power cuts too: fsync each MS milliseconds (default never; 1000 without a value)
  --retry-failed[=R]   do failed rows again; R are reasons, such as length,Timeout (default all)
  --cache[=FOLDER]     keep answers for other runs: same request, same answer (default folder .clientele-cache)
  --repeat N           ask N times for each row (default 1)

  --dry-run            show three prompts, and estimate tokens and cost; send nothing
  --quiet              print errors alone
  --json               print progress as lines of JSON
  --config FILE        options as JSON: {"model": "groq:NAME", "param": {"temperature": 0}} (default clientele.json)
  --help               this text

A flag counts before its variable (CLIENTELE_RUN_MAX_COST is --max-cost), and that before the file.

exit codes
  0  all rows are answered                     4  a file can't be read or written
  1  some rows failed; see the results         5  another run has the journal
  2  called wrongly; nothing was sent        130  stopped by Ctrl-C, 143 by SIGTERM
  3  stopped by a bound, or the account was refused; run again to go on
`
