/** Reads answers as the providers' SDKs do: the same values, and failures with the same words. */
import { RequestError } from "../../ClientError.ts"
import { WholeResponse } from "../http/bufferedResponse.ts"
import { codeIn, messageIn } from "../http/errorBody.ts"
import { parseJson, property } from "../util/json.ts"
import type { CallContext } from "../request/callContext.ts"
import type { ErrorOrigin } from "../request/errors/fromSdk.ts"
import type { Api } from "./apis.ts"

/** The parts of an API that tell how its answers are read. */
export type AnswerFormat = Pick<Api<string, string>, "hasRequestId" | "isNested">

/** Facts about a call, for those who read its answer. */
export interface ReadCall {
  readonly place: ErrorOrigin
  /** Times that its request was sent. */
  readonly attempts: number
  /** Secrets of the call, which failures must not contain. */
  readonly context: CallContext
}

/** A response that is no success, with the fields of the SDKs' own `APIError`. The cause of the call's failure. */
export class ResponseError extends Error {
  override readonly name = "ResponseError"
  readonly status: number
  readonly headers: Headers
  /** The body, or its `error` where all of it is under that name. */
  readonly error: unknown

  constructor(status: number, headers: Headers, error: unknown, text: string) {
    super(`${status} ${wordsOf(error, text)}`)
    this.status = status
    this.headers = headers
    this.error = error
  }
}

const wordsOf = (error: unknown, text: string): string => {
  const message = property(error, "message")
  if (message) return typeof message === "string" ? message : JSON.stringify(message)
  if (error) return JSON.stringify(error)
  return text === "" ? "status code (no body)" : text
}

/** The error of a response that is no success, whose body is buffered. */
export const refusalOf = async ({ isNested }: AnswerFormat, response: Response): Promise<ResponseError> => {
  const { headers, status } = response
  const text = await response.text()
  const body = parseJson(text)
  return new ResponseError(status, headers, isNested ? (property(body, "error") ?? body) : body, text)
}

/** Parsers quote what they could not read, so their error is no cause. */
export const malformed = ({ attempts, place: { baseURL, provider } }: ReadCall, detail: string): RequestError =>
  new RequestError({ provider, baseURL, reason: "Malformed", detail, processed: "yes", attempts })

/** Error for a failure that is reported under a status of success. */
export const reported = ({ attempts, place: { baseURL, provider } }: ReadCall, error: unknown): RequestError =>
  new RequestError({
    provider,
    baseURL,
    reason: codeIn(error) === "insufficient_quota" ? "QuotaExceeded" : "Server",
    detail: messageIn(error) ?? JSON.stringify(error),
    processed: "yes",
    attempts
  })

const isJson = (type: string | null): boolean => {
  const media = type?.split(";")[0]?.trim().toLowerCase()
  return media !== undefined && (media.includes("application/json") || media.endsWith("+json"))
}

/** JSON by its content type, else text; `undefined` for empty JSON. */
const read = (call: ReadCall, format: AnswerFormat, response: Response, text: string): unknown => {
  if (!isJson(WholeResponse.headerOf(response, "content-type"))) return text
  if (text === "") return undefined
  const value = parseJson(text)
  if (value === undefined) throw malformed(call, "the answer is invalid JSON")
  if (format.hasRequestId && typeof value === "object" && value !== null && !Array.isArray(value)) {
    Object.defineProperty(value, "_request_id", {
      value: WholeResponse.headerOf(response, "x-request-id"),
      enumerable: false
    })
  }
  return value
}

/** The value of a response, `null` without content. A promise only for a body that is still to come. */
export const valueOf = (call: ReadCall, format: AnswerFormat, response: Response): unknown => {
  const { status } = response
  if (status === 204) return null
  if (status >= 300) {
    return refusalOf(format, response).then((error) => {
      throw error
    })
  }
  const text = WholeResponse.textOf(response)
  if (text !== undefined) return read(call, format, response, text)
  return response.text().then((text) => read(call, format, response, text))
}

const FLOAT_BYTES = 4

/** Replaces the base64 of embeddings by numbers, in place. */
export const decoded = (call: ReadCall, value: unknown): unknown => {
  const data = property(value, "data")
  if (!Array.isArray(data)) return value
  for (const one of data as ReadonlyArray<unknown>) {
    const embedding = property(one, "embedding")
    if (typeof embedding !== "string") continue
    const { buffer, byteOffset, length } = Buffer.from(embedding, "base64")
    if (length % FLOAT_BYTES !== 0) throw malformed(call, "an embedding is no list of 32-bit numbers in base64")
    // A copy, since the pooled buffer may begin anywhere.
    const floats = new Float32Array(buffer.slice(byteOffset, byteOffset + length))
    ;(one as { embedding: unknown }).embedding = Array.from(floats)
  }
  return value
}
