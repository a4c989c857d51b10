/** Formats of rows, by name or by the first character of their text. */
import { UsageError } from "../exit.ts"
import { STDIN } from "./bytes.ts"

export const FORMATS = ["jsonl", "json", "csv", "tsv"] as const

export type Format = (typeof FORMATS)[number]

const BY_EXTENSION: Readonly<Record<string, Format>> = {
  jsonl: "jsonl",
  ndjson: "jsonl",
  jsonlines: "jsonl",
  json: "json",
  csv: "csv",
  tsv: "tsv",
  tab: "tsv"
}

const OTHERS: Readonly<Record<string, string>> = {
  parquet: "Parquet is not supported; convert it to JSON lines",
  xlsx: "Excel's own format is not supported; save the sheet as CSV",
  xls: "Excel's own format is not supported; save the sheet as CSV",
  zst: "it is compressed by zstd; decompress it, or use gzip",
  bz2: "it is compressed by bzip2; decompress it, or use gzip",
  zip: "it is a zip file; unpack it, or use gzip"
}

const extension = (file: string): string => {
  const plain = file.toLowerCase().replace(/\.gz$/, "")
  return /\.([^./\\]+)$/.exec(plain)?.[1] ?? ""
}

/** By the name; `undefined` if the name tells none. Throws for known formats that can't be read. */
export const formatOfName = (file: string): Format | undefined => {
  const ending = extension(file)
  const other = OTHERS[ending]
  if (other !== undefined) throw new UsageError(`can't use ${file}: ${other}`)
  return BY_EXTENSION[ending]
}

/** By the first character that is no space. Text that begins with a brace or a bracket is JSON. */
export const formatOfText = (file: string, head: string, named: Format | undefined): Format => {
  const first = /\S/.exec(head)?.[0]
  // Many files of JSON lines are named .json.
  if (first === "{" && named !== "csv" && named !== "tsv") return "jsonl"
  if (first === "[" && (named === undefined || named === "jsonl" || named === "json")) return "json"
  if (named !== undefined) return named
  if (first === undefined) return "jsonl"
  const name = file === STDIN ? "standard input" : file
  throw new UsageError(`can't tell the format of ${name}; add --format csv, tsv, jsonl or json`)
}
