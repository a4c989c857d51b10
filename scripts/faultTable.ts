/** Writes docs/faults.md from the rows that the tests run: `node scripts/faultTable.ts`. */
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { type Expected, unaffected } from "../test/faults/expected.ts"
import { protocols } from "../test/faults/pairs.ts"
import type { Row } from "../test/faults/row.ts"
import { elsewhere } from "../test/faults/rows/elsewhere.ts"
import { groups } from "../test/faults/table.ts"

const intro = `# Faults and their outcomes

Each row is a fault, and each is a test: it runs over every protocol in its second column, and with every provider
(\`npm test -- test/faults\`). Requests **in flight** had been sent when the fault came, **queued** ones waited for a
connection, and the **later** one came when the fault was over.

- An empty cell: unaffected. Sent once, and answered.
- *again*: retried, and answered, unseen by its caller. Requests that the provider certainly had not processed cost none of
  \`maxRetries\`, even if that is 0.
- *rule*: the provider may have processed it. Requests safe to repeat (see \`retryAmbiguous\`) are retried and answered;
  others fail with this reason and \`processed: "maybe"\` after one attempt.
- A reason: the request fails with this \`RequestError\`; with its attempts, and with \`processed\`, the possibility that the
  provider processed it.

`

const cell = (expected: Expected = unaffected): string => {
  switch (expected.type) {
    case "unaffected":
      return ""
    case "resent":
      return "*again*"
    case "processed":
      return `*rule*, ${expected.reason}`
    case "answered":
      return "an answer that is nobody's"
    case "fails": {
      const { attempts, processed } = expected.facts
      const more = [
        ...(attempts === undefined ? [] : [`${attempts} attempt${attempts === 1 ? "" : "s"}`]),
        ...(processed === undefined ? [] : [`processed ${processed}`])
      ]
      return more.length === 0 ? expected.reason : `${expected.reason} (${more.join(", ")})`
    }
  }
}

const over = ({ over }: Row): string =>
  over === undefined || over.length === protocols.length
    ? "all"
    : over.join(", ").replace("HTTP/1.1, HTTP/1.1 over TLS", "HTTP/1.1")

const line = (row: Row): string => {
  const { inFlight, later, queued } = row.expect
  const nobody = row.inFlight === 0 ? "none" : cell(inFlight)
  return `| ${row.name} | ${over(row)} | ${nobody} | ${row.queued === 0 ? "none" : cell(queued)} | ${cell(later)} |`
}

export const render = (): string => {
  const tables = groups.map(([title, rows]) =>
    [
      `## ${title}`,
      "",
      "| fault | over | in flight | queued | later |",
      "|---|---|---|---|---|",
      ...rows.map(line)
    ].join("\n")
  )
  const others = elsewhere.map(({ file, name, title }) => `| ${name} | \`test/${file}\`: ${title} |`)
  const rest = ["## Rows with a test of their own", "", "| fault | test |", "|---|---|", ...others].join("\n")
  return `${intro}${[...tables, rest].join("\n\n")}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL("../docs/faults.md", import.meta.url), render())
}
