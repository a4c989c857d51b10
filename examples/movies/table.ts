/** Figures of two runs side by side, and in words. */
import type { End } from "./command.ts"

export interface Report extends End {
  readonly clients: number
  readonly hits: number | null
  /** By the server's count. */
  readonly sockets: number
}

export const count = (value: number): string => Math.round(value).toLocaleString("en-US")

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`

const or = (format: (value: number) => string) => (value: number | null) => (value === null ? "n/a" : format(value))

/** Microseconds for each row that was done. */
const cpu = ({ cpuMs, done }: Report): number | null => (done === 0 ? null : (cpuMs * 1000) / done)

const LINES: ReadonlyArray<readonly [label: string, figure: (report: Report) => string]> = [
  ["rows done", (report) => count(report.done)],
  ["rows failed", (report) => count(report.failed)],
  ["clients built", (report) => count(report.clients)],
  ["cache hits", (report) => or(count)(report.hits)],
  ["peak sockets, the server's count", (report) => count(report.sockets)],
  ["peak file descriptors", (report) => or(count)(report.peakOpenFiles)],
  ["CPU per row done", (report) => or((us) => `${count(us)} us`)(cpu(report))],
  ["latency of a row, p50", (report) => or(seconds)(report.p50Ms)],
  ["latency of a row, p99", (report) => or(seconds)(report.p99Ms)],
  ["wall time", (report) => seconds(report.elapsedMs)]
]

export const render = (columns: Readonly<Record<string, Report>>): string => {
  const reports = Object.values(columns)
  const cells = [["", ...Object.keys(columns)], ...LINES.map(([label, figure]) => [label, ...reports.map(figure)])]
  const widthOf = (column: number) => Math.max(...cells.map((line) => line[column]?.length ?? 0))
  const [header, ...body] = cells.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widthOf(column)) : cell.padStart(widthOf(column))))
      .join("   ")
  )
  const errors = Object.entries(columns).flatMap(([name, { failures }]) => {
    const [common] = Object.entries(failures).toSorted(([, a], [, b]) => b - a)
    return common === undefined ? [] : [`most common failure, ${name}: ${common[0]}, ${count(common[1])} times`]
  })
  return [header, "-".repeat(header?.length ?? 0), ...body, ...errors].join("\n")
}

const did = ({ clients, done, failed, sockets }: Report): string =>
  `${count(clients)} clients and ${count(sockets)} sockets did ` +
  (failed === 0 ? `all ${count(done)} rows` : `${count(done)} rows and failed on ${count(failed)}`)

export const compare = (ours: Report, theirs: Report): string => {
  const [one, other] = [cpu(ours), cpu(theirs)]
  const share =
    one === null || other === null
      ? ""
      : `\nA row took ${count((100 * one) / other)}% of the CPU time that it takes with a client a row.`
  return `With clientele, ${did(ours)}.\nWith a client a row, ${did(theirs)}, after the retries that the SDKs do by themselves.${share}`
}
