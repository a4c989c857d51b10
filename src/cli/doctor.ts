/** `clientele doctor`: what may keep a run from working. Runs whatever Node and Effect are installed. */
import { endpoints } from "./doctor/endpoints.ts"
import type { Finding } from "./doctor/finding.ts"
import { openFiles } from "./doctor/machine.ts"
import { versions } from "./doctor/versions.ts"
import { parse, text } from "./usage.ts"

const HELP = `usage: clientele doctor [options]

Lists the versions of Node, Effect and the SDKs, each with the required range; the limit on open files; and for each provider
whether its key is set, its endpoint is reached, HTTP/2 is offered, and the key is accepted. Keys are not printed. Exit code 1
if there is a problem.

  --model P:NAME     asks this model for a few tokens, whose response has the limits of the account: groq:llama-3.3-70b-versatile
  --base-url URL     another server, for the model's provider, or of OpenAI's API
  --offline          sends nothing
  --help             this text
`

const FLAGS = {
  model: { type: "string" },
  "base-url": { type: "string" },
  offline: { type: "boolean" },
  help: { type: "boolean", short: "h" }
} as const

const MARKS: Readonly<Record<Finding["state"], string>> = { ok: "ok       ", none: "none     ", problem: "PROBLEM  " }

export const run = async (args: ReadonlyArray<string>): Promise<number> => {
  const values = parse(args, FLAGS, "doctor")
  if (values["help"] === true) {
    process.stdout.write(HELP)
    return 0
  }
  const found = [
    ...versions(),
    openFiles(),
    ...(await endpoints({
      env: process.env,
      model: text(values, "model"),
      baseUrl: text(values, "base-url"),
      isOffline: values["offline"] === true
    }))
  ]
  for (const { state, text } of found) process.stdout.write(`${MARKS[state]}${text}\n`)
  return found.some(({ state }) => state === "problem") ? 1 : 0
}
