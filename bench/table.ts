/** The tables of figures: of one line with each target, and of both lines side by side. */
import { type Figure, round } from "./bench.ts"

const digits = ({ unit, value }: Figure): number => {
  if (unit === "%") return 1
  return unit === "x" || unit.startsWith("of ") || value < 10 ? 2 : 0
}

const shown = (figure: Figure, value: number): string => {
  const number = round(value, Number.isInteger(value) ? 0 : digits({ ...figure, value }))
  return figure.unit === "x" ? round(value, 2) : `${number} ${figure.unit}`
}

const target = (figure: Figure): string => {
  const { atLeast, atMost } = figure
  return [
    ...(atLeast === undefined ? [] : [`>= ${shown(figure, atLeast)}`]),
    ...(atMost === undefined ? [] : [`<= ${shown(figure, atMost)}`])
  ].join(", ")
}

const verdict = ({ atLeast, atMost, value }: Figure): string => {
  if (atLeast === undefined && atMost === undefined) return ""
  return value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity) ? "met" : "missed"
}

type Row = ReadonlyArray<string>

/** The first row is that of the headings. */
export const table = (rows: ReadonlyArray<Row>): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (row: Row) => row.map((cell, i) => cell.padEnd(widths[i]!)).join("  ")
  return rows.map((row) => line(row).trimEnd()).join("\n")
}

export const HEADINGS: Row = ["bench", "figure", "measured", "target", "", "more"]

export const rowsOf = (name: string, figures: ReadonlyArray<Figure>): ReadonlyArray<Row> =>
  figures.map((figure) => [
    name,
    figure.what,
    shown(figure, figure.value),
    target(figure),
    verdict(figure),
    figure.note ?? ""
  ])

export const BOTH_HEADINGS: Row = [
  "bench",
  "figure",
  "Effect 3",
  "Effect 4",
  "4 / 3",
  "target of 4",
  "",
  "more of 3",
  "more of 4"
]

/** A row for each figure that either line has; the third column of numbers is what Effect 4 makes of it. */
export const rowsOfBoth = (
  name: string,
  on3: ReadonlyArray<Figure>,
  on4: ReadonlyArray<Figure>
): ReadonlyArray<Row> => {
  const names = new Set([...on3, ...on4].map(({ what }) => what))
  return [...names].map((what) => {
    const [a, b] = [on3, on4].map((figures) => figures.find((one) => one.what === what))
    const measured = [a, b].map((figure) => (figure === undefined ? "" : shown(figure, figure.value)))
    // A ratio of what may be negative, as growth of a heap, means nothing.
    const isRatio = a !== undefined && b !== undefined && a.value > 0 && b.value > 0 && a.unit !== "MB"
    return [
      name,
      what,
      ...measured,
      isRatio ? round(b.value / a.value, 2) : "",
      b === undefined ? "" : target(b),
      b === undefined ? "" : verdict(b),
      a?.note ?? "",
      b?.note ?? ""
    ]
  })
}
