/** Reports side by side. */
import { count, seconds } from "./format.ts"
import type { Report } from "./measure.ts"

const or = (format: (value: number) => string) => (value: number | null) => (value === null ? "n/a" : format(value))

const lines = (socketsBy: string): ReadonlyArray<readonly [label: string, figure: (report: Report) => string]> => [
  ["rows done", (report) => count(report.done)],
  ["rows failed", (report) => count(report.failed)],
  ["clients built", (report) => count(report.clients)],
  ["cache hits", (report) => or(count)(report.hits)],
  [`peak sockets, ${socketsBy}`, (report) => or(count)(report.sockets)],
  ["peak file descriptors", (report) => or(count)(report.descriptors)],
  ["CPU per request done", (report) => or((us) => `${count(us)} us`)(report.cpu)],
  ["latency of a row, p50", (report) => or(seconds)(report.p50)],
  ["latency of a row, p99", (report) => or(seconds)(report.p99)],
  ["wall time", (report) => seconds(report.wall)]
]

/** `socketsBy` says how the sockets were counted. */
export const render = (columns: Readonly<Record<string, Report>>, socketsBy: string): string => {
  const reports = Object.values(columns)
  const cells = [
    ["", ...Object.keys(columns)],
    ...lines(socketsBy).map(([label, figure]) => [label, ...reports.map(figure)])
  ]
  const widthOf = (column: number) => Math.max(...cells.map((line) => line[column]?.length ?? 0))
  const [header, ...body] = cells.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widthOf(column)) : cell.padStart(widthOf(column))))
      .join("   ")
  )
  const errors = Object.entries(columns).flatMap(([name, { commonError }]) =>
    commonError === null ? [] : [`most common error, ${name}: ${commonError}`]
  )
  return [header, "-".repeat(header?.length ?? 0), ...body, ...errors].join("\n")
}
