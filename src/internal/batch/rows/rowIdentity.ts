/** Identities of rows: a hash of the content or the key, with the number among equal rows and of the repeat. */
import { hash } from "node:crypto"
import type { RowHash } from "./rowIndex.ts"

const ID_BYTES = 12

/** JSON with the fields of objects in the order of their names: a row whose columns are moved is the same row. */
export const canonical = (value: unknown): string => {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null"
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return JSON.stringify(value) ?? "null"
  const fields = value as Readonly<Record<string, unknown>>
  let text = ""
  for (const name of Object.keys(fields).sort()) {
    const field = fields[name]
    if (field === undefined) continue
    text += `${text === "" ? "{" : ","}${JSON.stringify(name)}:${
      typeof field === "string" ? JSON.stringify(field) : canonical(field)
    }`
  }
  return text === "" ? "{}" : `${text}}`
}

/** Never all zero in the first two words, which marks free slots. */
const wordsOf = (bytes: Buffer): RowHash => {
  const a = bytes.readUInt32LE(0)
  return { a: a === 0 ? 1 : a, b: bytes.readUInt32LE(4), check: bytes.readUInt32LE(8) }
}

/** SHA-256, cut to 96 bits: of ten million rows two are equal with a probability of 1 in 10^15. */
export const hashOf = (text: string): RowHash => wordsOf(hash("sha256", text, "buffer"))

/** The key finds the row, and the check tells that its content is the same. */
export const hashOfKey = (key: string, content: string): RowHash => ({
  ...hashOf(`key\n${key}`),
  check: hash("sha256", content, "buffer").readUInt32LE(0)
})

/** 16 characters of base64url. */
export const idOf = ({ a, b, check }: RowHash): string => {
  const bytes = Buffer.allocUnsafe(ID_BYTES)
  bytes.writeUInt32LE(a, 0)
  bytes.writeUInt32LE(b, 4)
  bytes.writeUInt32LE(check, 8)
  return bytes.toString("base64url")
}

export const ID_LENGTH = 16

/** The hash with this id. */
export const hashOfId = (id: string): RowHash => {
  const bytes = Buffer.from(id, "base64url")
  return { a: bytes.readUInt32LE(0), b: bytes.readUInt32LE(4), check: bytes.readUInt32LE(8) }
}
