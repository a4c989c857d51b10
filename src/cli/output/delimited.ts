/** Writes CSV (RFC 4180) and TSV, with line ends as LF. */

export type Delimiter = "," | "\t"

/** A cell that is a text of its own, or JSON. `null` and `undefined` are empty. */
export const cellText = (value: unknown): string => {
  if (value === null || value === undefined) return ""
  return typeof value === "string" ? value : typeof value === "object" ? JSON.stringify(value) : String(value)
}

/** Quoted where it must be, and where spaces at its ends would get lost. */
const quoted = (text: string, delimiter: Delimiter): string =>
  text.includes(delimiter) || /["\n\r]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text

export const delimitedLine = (cells: ReadonlyArray<unknown>, delimiter: Delimiter): string => {
  const line = cells.map((cell) => quoted(cellText(cell), delimiter)).join(delimiter)
  // An empty line would be no row.
  return `${line === "" ? '""' : line}\n`
}
