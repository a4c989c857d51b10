/**
 * Records of results, each one line of JSON. What a scan reads comes first and in a fixed order, so that passing over a
 * record needs no parser.
 */
import type { Result, RowReason, Usage } from "../result.ts"
import { ID_LENGTH } from "../rows/rowIdentity.ts"
import type { RecordHead } from "./model.ts"

/** A result without its row. */
export type Recorded = Result<undefined, unknown>

const MAX_TAG = 60

/** Tags are read without a parser, and counted: short, and free of quotes. */
export const tagIn = (tag: string): string => tag.replace(/[^A-Za-z0-9_.:/ -]+/g, "_").slice(0, MAX_TAG) || "unknown"

/**
 * One line without its end. `most` bounds a cost that is unknown, 0 if nothing does. Throws what `JSON.stringify` throws for
 * the value.
 */
export const lineOf = (id: string, result: Recorded, at: number, most = 0): string => {
  const { attempts, cost, index, key, model, ms, repeat, usage } = result
  const head = result.status === "done" ? "done" : `failed","tag":"${tagIn(result.reason.tag)}`
  const outcome =
    result.status === "done"
      ? `"value":${JSON.stringify(result.value) ?? "null"}`
      : `"reason":${JSON.stringify({ message: result.reason.message, answer: result.reason.answer })}`
  return (
    `{"id":"${id}","status":"${head}","cost":${cost ?? (most > 0 ? `null,"most":${most}` : "null")},"index":${index},"repeat":${repeat}` +
    `${key === undefined ? "" : `,"key":${JSON.stringify(key)}`},${outcome}` +
    `,"usage":{"input":${usage.input},"output":${usage.output},"cachedInput":${usage.cachedInput}}` +
    `${model === undefined ? "" : `,"model":${JSON.stringify(model)}`}` +
    `${result.cached ? ',"cached":true' : ""},"attempts":${attempts},"ms":${Math.round(ms)},"at":${at}}`
  )
}

/** Longest head: an id, a tag, a number. */
export const MAX_HEAD = 80 + ID_LENGTH + MAX_TAG + 32

const HEAD =
  /^\{"id":"([\w-]{16})","status":"(?:done|failed","tag":"([^"]*))","cost":(?:null|([\d.e+-]+)),(?:"most":([\d.e+-]+),)?/

const numberIn = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text))

/** Reads the beginning of a line; `undefined` for what is no record. */
export const headOf = (beginning: string): RecordHead | undefined => {
  const match = HEAD.exec(beginning)
  if (match === null) return undefined
  const [, id, failed, cost, most] = match
  return { id: id!, failed, cost: numberIn(cost), ...(most !== undefined && { most: numberIn(most) }) }
}

interface RecordFields {
  readonly id: string
  readonly status: "done" | "failed"
  readonly tag?: string
  readonly cost: number | null
  readonly index: number
  readonly repeat: number
  readonly key?: string
  readonly value?: unknown
  readonly reason?: Omit<RowReason, "tag">
  readonly usage: Usage
  readonly model?: string
  readonly cached?: boolean
  readonly attempts: number
  readonly ms: number
}

/** The result in a line, `undefined` if it is damaged. */
export const resultOf = (line: string): Recorded | undefined => {
  let record: RecordFields
  try {
    record = JSON.parse(line) as RecordFields
  } catch {
    return undefined
  }
  if (typeof record !== "object" || record === null || typeof record.id !== "string") return undefined
  const { attempts, cached, cost, index, key, model, ms, repeat, usage } = record
  const fields = {
    index,
    key,
    repeat,
    row: undefined,
    usage,
    cost: cost ?? undefined,
    attempts,
    ms,
    cached: cached === true,
    restored: true,
    model
  }
  return record.status === "done"
    ? { ...fields, status: "done", value: record.value }
    : { ...fields, status: "failed", reason: { ...record.reason!, tag: record.tag! } }
}
