/** Reports side by side. */
import type { Report } from "./measure.ts"

const number = (value: number | null): string => (value === null ? "n/a" : Math.round(value).toLocaleString("en-US"))
const seconds = (ms: number | null): string => (ms === null ? "n/a" : `${(ms / 1000).toFixed(2)} s`)

const lines: ReadonlyArray<readonly [label: string, figure: (report: Report) => string]> = [
  ["rows done", (report) => number(report.done)],
  ["rows failed", (report) => number(report.failed)],
  ["clients built", (report) => number(report.clients)],
  ["cache hits", (report) => number(report.hits)],
  ["peak sockets", (report) => number(report.sockets)],
  ["peak file descriptors", (report) => number(report.descriptors)],
  ["CPU per request done", (report) => (report.cpu === null ? "n/a" : `${number(report.cpu)} us`)],
  ["latency of a row, p50", (report) => seconds(report.p50)],
  ["latency of a row, p99", (report) => seconds(report.p99)],
  ["wall time", (report) => seconds(report.wall)]
]

export const render = (columns: Readonly<Record<string, Report>>): string => {
  const names = Object.keys(columns)
  const cells = [["", ...names], ...lines.map(([label, figure]) => [label, ...Object.values(columns).map(figure)])]
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)))
  const text = cells.map((line) =>
    line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join("   ")
  )
  const rule = "-".repeat(text[0]!.length)
  const errors = Object.entries(columns)
    .filter(([, report]) => report.commonError !== null)
    .map(([name, report]) => `most common error, ${name}: ${report.commonError}`)
  return [text[0], rule, ...text.slice(1), ...errors].join("\n")
}
