/**
 * Checks successful responses against their requests, for any provider that speaks OpenAI's dialects or Anthropic's.
 * SDKs take a page of HTML for an answer, and JSON of another content type for text: here the page is rejected, and the
 * content type corrected.
 */
import { parseJson, property } from "../util/json.ts"
import { WireError } from "../wire/errors.ts"
import type { WireResponse } from "./types.ts"
import type { PreparedRequest } from "./prepare.ts"
import { type Clean, toldFailure } from "./redactErrorBody.ts"

/** The request as its caller made it, wherever it was redirected to. */
export type Asked = Pick<PreparedRequest, "headers" | "method" | "url">

const generation = /\/(?:completions|embeddings|moderations|responses|messages)(?:\?|$)/
const resumed = /\/responses\/[^/?]+(?:\?|$)/

/**
 * Other resources that SDKs create, read and list: a body that is no list gives them an empty one. Contents of files
 * are one path segment further.
 */
const kept =
  /\/(?:models|files|uploads|batches|conversations|vector_stores|fine_tuning\/jobs|images\/(?:generations|edits|variations))(?:\/[^/?]+)?(?:\?|$)/

const wantsJson = ({ headers }: Asked): boolean => headers["accept"]?.startsWith("application/json") === true

/**
 * True if a success can only be JSON, or an event stream. `kept` counts only for requests that accept JSON, as those of
 * SDKs do: others may have other resources on these paths.
 */
export const isJsonOnly = (asked: Asked): boolean => {
  const { method, url } = asked
  if (method !== "POST" && method !== "GET") return false
  return (method === "POST" ? generation : resumed).test(url) || (wantsJson(asked) && kept.test(url))
}

/** SDKs say for each request what they can read. None of them reads HTML, but they hand it on as if it were the answer. */
export const isNoPage = (asked: Asked): boolean => wantsJson(asked) || /\/audio\/speech(?:\?|$)/.test(asked.url)

/** The position of the first byte at or after `at` that is no white space. */
const skipSpace = (bytes: Uint8Array, at: number): number => {
  while (at < bytes.length && bytes[at]! <= 0x20) at++
  return at
}

/** Offset of the first byte of JSON, after a byte order mark, if there is one, and white space. */
const start = (bytes: Uint8Array): number => skipSpace(bytes, bytes[0] === 0xef ? 3 : 0)

/** Some servers call their JSON plain text. */
export const looksLikeJson = (bytes: Uint8Array): boolean => {
  const first = bytes[start(bytes)]
  return first === 0x7b || first === 0x5b
}

/** As SDKs know it: in lower case. */
export const isJson = (type: string): boolean => type.startsWith("application/json") || /^[^;]+\+json/.test(type)

const typeOf = ({ headers }: WireResponse): string => headers.find(([name]) => name === "content-type")?.[1] ?? ""

/** Text of another kind than JSON's own. */
export const isPage = (wire: WireResponse): boolean => /^text\//i.test(typeOf(wire))

const error = Buffer.from('"error"')

/** An answer begins otherwise, so that no answer has to be parsed to find out whether it is an error. */
export const beginsWithError = (bytes: Uint8Array): boolean => {
  const key = skipSpace(bytes, start(bytes) + 1)
  return error.every((byte, i) => bytes[key + i] === byte)
}

/** The failure that a JSON body reports, `undefined` if it reports none. */
export const failureIn = (bytes: Uint8Array, clean: Clean): WireError | undefined => {
  const said = parseJson(new TextDecoder().decode(bytes))
  return property(said, "error") == null ? undefined : toldFailure(JSON.stringify(said), clean)
}

/** The same answer as what it is: SDKs parse nothing that goes by another name. */
export const asJson = (wire: WireResponse): WireResponse => ({
  ...wire,
  headers: [...wire.headers.filter(([name]) => name !== "content-type"), ["content-type", "application/json"]]
})

const called = (wire: WireResponse): string => typeOf(wire).slice(0, 100) || "a body without a content type"

const instead = (what: string, wanted: string): WireError =>
  new WireError("Malformed", "yes", `the server responded with ${what} where ${wanted}`)

export const noEvents = (wire: WireResponse): WireError => instead(called(wire), "an event stream was requested")

export const notJson = (wire: WireResponse, isEmpty: boolean): WireError =>
  instead(isEmpty ? "nothing" : isJson(typeOf(wire)) ? "something else" : called(wire), "JSON was expected")

export const notWhole = (): WireError => instead("an event stream", "a single response was requested")
