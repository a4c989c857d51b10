/** Two gigabytes of input, in bounded memory. */
import { once } from "node:events"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { Folder } from "./support.ts"

let folder: Folder
beforeEach(() => void (folder = new Folder()))
afterEach(() => folder.dispose())

const ROWS = 2048
const CELL_BYTES = 1 << 20

/** The agent tells the most memory that its process has had so far. */
const AGENT = `
let peak = 0
export const version = "1"
export default ({ id, text }) => {
  peak = Math.max(peak, process.memoryUsage.rss())
  return { id: Number(id), characters: text.length, peak }
}`

const MAX_RSS_BYTES = 700 << 20

const feed = async (format: "csv" | "jsonl"): Promise<ReadonlyArray<Readonly<Record<string, unknown>>>> => {
  folder.write("agent.mjs", AGENT)
  const args = [
    "run",
    "-",
    "--format",
    format,
    "--agent",
    "agent.mjs",
    "--out",
    "out.jsonl",
    "--concurrency",
    "4",
    "--quiet"
  ]
  const { child, ended } = folder.begin(args)
  // A cell of a megabyte, with a line end and quotes.
  const text = `"a\n${"long text, ".repeat(CELL_BYTES / 11)}`
  const cell = format === "csv" ? `"${text.replaceAll('"', '""')}"` : JSON.stringify(text)
  if (format === "csv") child.stdin.write("id,text\n")
  for (let id = 0; id < ROWS; id++) {
    const row = format === "csv" ? `${id},${cell}\n` : `{"id":${id},"text":${cell}}\n`
    if (!child.stdin.write(row)) await once(child.stdin, "drain")
  }
  child.stdin.end()
  const { code, err } = await ended
  assert.deepStrictEqual([code, err], [0, ""])
  return folder.records("out.jsonl").map(({ answer }) => answer as Readonly<Record<string, unknown>>)
}

describe("an input of 2 GB", () => {
  it.each(["jsonl", "csv"] as const)(
    "in cells of a megabyte is read as %s in bounded memory",
    { timeout: 600_000 },
    async (format) => {
      const answers = await feed(format)
      assert.deepStrictEqual(
        answers.map(({ id }) => id),
        Array.from({ length: ROWS }, (_, id) => id)
      )
      const characters = 3 + 11 * Math.floor(CELL_BYTES / 11)
      assert.isTrue(answers.every((answer) => answer["characters"] === characters))
      assert.isBelow(Number(answers.at(-1)?.["peak"]), MAX_RSS_BYTES)
    }
  )
})
