/** Writes docs/faults.md from the rows that the tests run: `node scripts/faultTable.ts`. */
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { type Expected, unaffected } from "../test/faults/expected.ts"
import { protocols } from "../test/faults/pairs.ts"
import type { Row } from "../test/faults/row.ts"
import { elsewhere } from "../test/faults/rows/elsewhere.ts"
import { groups } from "../test/faults/table.ts"

const intro = `# What becomes of a request when something fails

Each row is a fault, and each is a test: it runs over every protocol that it is named for, and with every provider
(\`npm test -- test/faults\`). **In flight** are requests that had been sent when the fault came, **queued** are those that
waited for a connection, **later** is one that came when the fault was over.

- An empty cell: not affected. Answered, and sent once.
- *again*: sent again, and answered. Its caller sees nothing of it, and what the provider certainly had not worked on costs
  none of \`maxRetries\`, be that 0.
- *rule*: the provider may have worked on it. What a repeat changes nothing of is sent again (see \`retryAmbiguous\`) and
  answered; all else fails with the reason named, \`processed: "maybe"\`, after one attempt.
- A reason: what it fails with, a \`RequestError\`; with its attempts, and with \`processed\`, which says whether the
  provider may have worked on it.

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
