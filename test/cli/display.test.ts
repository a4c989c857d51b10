/** Displays of a run, by the views that they are given. */
import { PassThrough } from "node:stream"
import { assert, describe, it } from "vitest"
import type { Progress } from "../../src/Batch.ts"
import { jsonDisplay, logDisplay, logLine } from "../../src/cli/display/display.ts"
import { count, dollars, duration, rate, reasons, short } from "../../src/cli/display/figures.ts"
import { blockText, terminalDisplay } from "../../src/cli/display/terminal.ts"
import { costText, outlook, rowsText, type RunView } from "../../src/cli/display/view.ts"

const progress: Progress = {
  total: undefined,
  read: 1500,
  done: 990,
  failed: 10,
  failures: { length: 8, content_filter: 2 },
  restored: 100,
  cached: 0,
  changed: 0,
  damaged: 0,
  running: 500,
  concurrency: 600,
  queued: 400,
  sockets: 4,
  held: 0,
  rowsPerSecond: 52.13,
  elapsedMs: 20_000,
  etaMs: undefined,
  usage: { input: 1_234_567, output: 310_000, cachedInput: 0 },
  cost: 0.45,
  earlierCost: 0,
  unpriced: 0,
  expectedCost: undefined,
  heldBack: { by: "tokens", detail: "waiting for tokens: 60,000 a minute" },
  ended: undefined
}

const view = (more: Partial<Progress> = {}, rest: Partial<RunView> = {}): RunView => ({
  progress: { ...progress, ...more },
  total: { rows: 4000, isExact: true },
  isDraining: false,
  ...rest
})

describe("figures", () => {
  it("are short, and exact where that is short", () => {
    assert.deepStrictEqual([short(0), short(987), short(12_345), short(4_560_000)], ["0", "987", "12.3K", "4.56M"])
    assert.deepStrictEqual([count(1234.4), rate(5.25), rate(1234)], ["1,234", "5.3 rows/s", "1,234 rows/s"])
    assert.deepStrictEqual([0, 0.000_042, 0.0123, 0.25, 1, 1234.5].map(dollars), [
      "$0.00",
      "$0.000042",
      "$0.012",
      "$0.25",
      "$1.00",
      "$1,234.50"
    ])
    assert.deepStrictEqual([900, 61_000, 3_725_000].map(duration), ["0:01", "1:01", "1:02:05"])
  })

  it("list failures by their number", () => {
    assert.strictEqual(reasons({ a: 1, b: 30, c: 2 }), "b 30, c 2, a 1")
    assert.strictEqual(reasons({ a: 1, b: 3, c: 2 }, 2), "b 3, c 2, ...")
  })
})

describe("a view", () => {
  it("expects the end by speed and by cost so far, without what was done before", () => {
    const { etaMs, expectedCost, share } = outlook(view())
    assert.strictEqual(share, 0.25)
    assert.approximately(etaMs ?? 0, (3000 / 52.13) * 1000, 1)
    // 900 rows of this run cost $0.45, and 3,000 are left.
    assert.approximately(expectedCost ?? 0, 1.95, 1e-9)
    assert.deepStrictEqual(outlook(view({}, { total: undefined })), {
      share: undefined,
      etaMs: undefined,
      expectedCost: undefined
    })
  })

  it("tells an estimated number of rows from an exact one", () => {
    assert.strictEqual(rowsText(view()), "1,000 of 4,000 rows")
    assert.strictEqual(rowsText(view({}, { total: { rows: 4000, isExact: false } })), "1,000 of about 4,000 rows")
    assert.strictEqual(rowsText(view({}, { total: undefined })), "1,000 rows")
  })

  it("never shows an unknown cost as 0", () => {
    assert.strictEqual(costText(view()), "$0.45 of about $1.95")
    assert.strictEqual(costText(view({ cost: 0, unpriced: 900 })), "cost unknown")
    assert.strictEqual(costText(view({ unpriced: 3 })), "$0.45 and 3 rows of unknown cost")
    assert.strictEqual(costText(view({ earlierCost: 2, ended: "complete" })), "$0.45, $2.00 in earlier runs")
  })
})

describe("the terminal's display", () => {
  it("has rows, speed, time left, tokens, cost, failures, sockets, queue and the reason for its pace", () => {
    assert.strictEqual(
      blockText("films.csv -> out.jsonl   groq:m", view()),
      [
        "films.csv -> out.jsonl   groq:m",
        "██████░░░░░░░░░░░░░░░░░░ 25 %  1,000 of 4,000 rows, 52.1 rows/s, 0:58 left",
        "1.23M tokens in, 310K out; $0.45 of about $1.95",
        "10 failed: length 8, content_filter 2",
        "500 of 600 at work, 400 queued, 4 sockets",
        "waiting for tokens: 60,000 a minute"
      ].join("\n")
    )
    assert.include(blockText("x", view({}, { isDraining: true })), "stopping: 500 rows still at work")
    const circuit = { by: "circuit", detail: "https://x does not respond; it is probed until it does" } as const
    assert.include(
      blockText("x", view({ heldBack: circuit }, { isDraining: true })),
      "still at work: https://x does not respond; it is probed until it does; Ctrl-C again stops at once"
    )
  })

  it("rewrites its lines, keeps notes above them, and leaves the summary", () => {
    const screen = new PassThrough()
    const display = terminalDisplay("title", screen)
    display.show(view())
    display.note("note: kept")
    display.show(view({ done: 1990 }))
    display.end({ lines: ["2,000 rows answered"], record: {} })
    const written = String(screen.read())
    assert.isAtLeast(written.split("title").length, 2)
    assert.include(written, "note: kept\n")
    assert.include(written, "2,000 of 4,000 rows")
    assert.isTrue(written.endsWith("2,000 rows answered\n"))
    assert.notInclude(written, "\u001B[?25l", "the cursor stays")
  })
})

const screen = () => {
  const lines: Array<string> = []
  return { lines, write: (text: string) => lines.push(text) }
}

describe("displays elsewhere", () => {
  it("write a line each five seconds", () => {
    let now = 0
    const out = screen()
    const display = logDisplay(out, () => now)
    for (now = 0; now < 12_000; now += 250) display.show(view())
    display.end({ lines: ["done"], record: {} })
    assert.deepStrictEqual(out.lines, [`${logLine(view())}\n`, `${logLine(view())}\n`, "done\n"])
    assert.notInclude(logLine(view()), "\n")
  })

  it("write a line of JSON each second for programs", () => {
    let now = 0
    const out = screen()
    const display = jsonDisplay(out, () => now)
    for (now = 0; now < 2500; now += 250) display.show(view())
    display.end({ lines: ["done"], record: { event: "end", exitCode: 0 } })
    const records = out.lines.map((line): Readonly<Record<string, unknown>> => JSON.parse(line))
    assert.deepStrictEqual(
      records.map(({ event }) => event),
      ["progress", "progress", "progress", "end"]
    )
    assert.deepInclude(records[0], { done: 990, total: 4000, isTotalExact: true, share: 0.25 })
  })
})
