/**
 * Writes docs/options.md from the tables that the code itself goes by: `node scripts/optionsTable.ts`. The test of
 * options fails while the file says something else.
 */
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { table as azure } from "../src/internal/promise/options/azure.ts"
import { table as cerebras } from "../src/internal/promise/options/cerebras.ts"
import { table as groq } from "../src/internal/promise/options/groq.ts"
import { table as openai } from "../src/internal/promise/options/openai.ts"
import type { Fate, Row, Table } from "../src/internal/promise/options/table.ts"

const sdks: ReadonlyArray<readonly [title: string, table: Table]> = [
  ["`getOpenAIClient`: `new OpenAI` of openai 6 and 7", openai],
  ["`getAzureOpenAIClient`: `new AzureOpenAI` of openai 6 and 7", azure],
  ["`getGroqClient`: `new Groq` of groq-sdk 1", groq],
  ["`getCerebrasClient`: `new Cerebras` of @cerebras/cerebras_cloud_sdk 1", cerebras]
]

const fates: Record<Fate, string> = {
  pool: "pool",
  sdk: "SDK",
  unpooled: "as given",
  nothing: "no effect",
  refused: "refused"
}

const sentence = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}`

const cells = ([name, row]: readonly [string, Row]): ReadonlyArray<string> => [
  `\`${name}\``,
  row.env === undefined ? "" : `\`${row.env}\``,
  fates[row.fate],
  `${sentence(row.note)}${row.since === undefined ? "" : ` (${row.since})`}`
]

/** Padded, as the formatter would have it. */
const grid = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, i) => Math.max(3, ...rows.map((row) => row[i]!.length)))
  const line = (row: ReadonlyArray<string>) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`
  const [head, ...rest] = rows
  return [line(head!), line(widths.map((width) => "-".repeat(width))), ...rest.map(line)].join("\n")
}

const section = (title: string, head: string, rows: ReadonlyArray<readonly [string, Row]>): string =>
  `## ${title}\n\n${grid([[head, "environment", "handled", "effect"], ...rows.map(cells)])}\n`

const intro = `# Options of the Promise API

Written by \`node scripts/optionsTable.ts\` from the tables that the code uses.

The getters of \`clientele/promise/openai\`, \`/groq\` and \`/cerebras\` accept the options of the SDKs' own constructors.
Absent options come from the environment, as with the SDKs, and are part of a client's identity. Equivalent options give
the same object. \`null\` is the same as absent, except for options that come from the environment where the SDK takes
\`null\` for none. The column "handled" is one of:

- **pool**: the pool handles it, for all SDKs alike. Clients with the same destination and \`transport\` share connections,
  and clients with the same key share a budget.
- **SDK**: the SDK handles it. Another value is another object, over the same connections and the same budget.
- **as given**: it replaces the sending of requests. \`new OpenAI(options)\` is made with all options as they are, unshared,
  and one debug line reports it. Options of clientele beside it are refused, since they could have no effect.
- **no effect**: accepted and ignored.
- **refused**: an \`OptionsError\` that names the alternative. Names outside the table are refused too, with the nearest
  name in it.

Only \`fetch\` goes through the pool: \`OpenAIRealtimeWS\` and other WebSockets read \`client.apiKey\` and
\`client.baseURL\`, which work as with the SDK, and open connections of their own.
`

export const render = (): string => {
  const own = Object.entries<Row>(openai).filter(([, row]) => row.ours === true)
  const sections = sdks.map(([title, table]) =>
    section(
      title,
      "option",
      Object.entries(table).filter(([, row]) => row.ours !== true)
    )
  )
  return [intro, section("Options of clientele, for all four", "option", own), ...sections].join("\n")
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL("../docs/options.md", import.meta.url), render())
}
