/**
 * Reads the demand of a request before it is sent: the model that providers count it by, and an estimate of what it
 * costs in tokens. Both read the JSON body without parsing it, and never throw.
 */
import type { RequestBody } from "../wire/request.ts"
import { entries, numberAt, skipSpace, stringAt } from "../util/jsonScanner.ts"

/** Names of models and deployments are kept no longer than this. Providers' longest have about 100 characters. */
const longestName = 200

/** Each character may be written as `\u0000`. */
const longestRaw = 6 * longestName

/**
 * The body as characters if it may be a JSON object, else "". Bytes become one character each, whatever they encode:
 * all of JSON's own characters are ASCII.
 */
export const textOf = (body: RequestBody): string => {
  if (typeof body === "string") return body
  if (!(body instanceof Uint8Array)) return ""
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const head = bytes.toString("latin1", 0, 64)
  const first = skipSpace(head, 0)
  // Files and forms of any size stay as they are.
  return first < head.length && head[first] !== "{" ? "" : bytes.toString("latin1")
}

/** A copy: a part of a text keeps all of the text in memory, and names are kept for long. */
const copied = (name: string, encoding: "latin1" | "utf8"): string =>
  Buffer.from(name, encoding).toString("utf8").slice(0, longestName)

/** The last copy: most clients ask one model. */
let last = ""

const withoutQuery = (path: string): string => {
  const query = path.indexOf("?")
  return query < 0 ? path : path.slice(0, query)
}

const deployments = "/openai/deployments/"

/** Azure counts by deployment, and names it in the path. */
const deploymentOf = (path: string): string | undefined => {
  const start = path.indexOf(deployments)
  if (start < 0) return undefined
  const name = withoutQuery(path).slice(start + deployments.length)
  const end = name.indexOf("/")
  const raw = end < 0 ? name : name.slice(0, end)
  if (raw === "") return undefined
  try {
    return copied(decodeURIComponent(raw), "utf8")
  } catch {
    return copied(raw, "utf8")
  }
}

/**
 * The model, as providers count by it: Azure's deployment, else the field `model` of the body, of at most 200
 * characters; "" if the request names none.
 */
export const modelOf = (path: string, body: RequestBody): string => {
  const deployment = deploymentOf(path)
  if (deployment !== undefined) return deployment
  const text = textOf(body)
  let model = ""
  entries(text, (key, at) => {
    if (key !== "model") return false
    model = stringAt(text, at, longestRaw) ?? ""
    return true
  })
  if (typeof body !== "string") return copied(model, "latin1")
  return model === last ? last : (last = copied(model, "utf8"))
}

/** Matches the query of a request that resumes a stream, which has no body. */
const resumesEvents = /[?&]stream=true(?:&|$)/

/**
 * True if the request asks for a stream of events, `undefined` if its body cannot be read here. Of a field that is
 * there twice the last counts, as it does to JSON parsers.
 */
export const asksForEvents = (path: string, body: RequestBody): boolean | undefined => {
  if (body === undefined) return resumesEvents.test(path)
  const text = textOf(body)
  if (text === "") return undefined
  let asked = false
  if (!text.includes('"stream"')) return asked
  entries(text, (key, at) => {
    if (key === "stream") asked = text.startsWith("true", at)
    return false
  })
  return asked
}

/** OpenAI's rule of thumb for English: "What are tokens and how to count them?", help.openai.com. */
const charactersPerToken = 4

/**
 * An image of 1024 x 1024 in high detail is 4 tiles of 170 and a base of 85 (OpenAI, "Images and vision", calculating
 * costs). Anthropic counts at most 1,600 for one.
 */
const imageTokens = 765

/** A context of a million tokens is more than nearly all models have: a larger wish is a mistake or means "as much as can be". */
const mostOutput = 1_000_000

/** OpenAI's bound on `n`. */
const mostChoices = 128

/** Shorter strings are no images, and are not looked at. */
const shortestImage = 256

/** `data:` URLs as OpenAI takes them, and the beginnings of PNG, JPEG, GIF and WebP in bare base64 as Anthropic does. */
const encodedFile = /data:[\w.+-]+\/[\w.+-]+(?:;[\w.+=-]+)*;base64,|iVBORw0KGgo|\/9j\/|R0lGOD|UklGR/y

const generatesNothing = (path: string): boolean => {
  const end = withoutQuery(path)
  return end.endsWith("/embeddings") || end.endsWith("/moderations")
}

/** Estimated cost of a request, in tokens. */
export interface TokenCost {
  /** By its length. */
  readonly prompt: number
  /** Most that it allows, 0 for a request that generates nothing, `undefined` if it sets no bound. */
  readonly output: number | undefined
}

const untold: TokenCost = { prompt: 1, output: 0 }

/**
 * The estimate of what a request costs: its prompt by length, and the output that it allows. Providers reserve the same
 * at admission (OpenAI, "Rate limits"; Azure, "Manage quota": prompt text and max_tokens; Cerebras, "Rate limits").
 */
export const costOf = (path: string, body: RequestBody): TokenCost => {
  const text = textOf(body)
  let ofCompletion: number | undefined
  let ofChat: number | undefined
  let ofResponse: number | undefined
  let choices = 1
  let images = 0
  let encoded = 0
  let isObject = false
  entries(
    text,
    (key, at) => {
      isObject = true
      switch (key) {
        case "max_completion_tokens":
          ofCompletion = numberAt(text, at)
          break
        case "max_tokens":
          ofChat = numberAt(text, at)
          break
        case "max_output_tokens":
          ofResponse = numberAt(text, at)
          break
        case "n":
          choices = numberAt(text, at) ?? 1
      }
      return false
    },
    (start, end) => {
      if (end - start < shortestImage) return
      encodedFile.lastIndex = start
      if (!encodedFile.test(text)) return
      images++
      encoded += end - start
    }
  )
  // A file, a form, or no body: no estimate.
  if (!isObject) return untold
  const prompt = (text.length - encoded) / charactersPerToken + images * imageTokens
  if (generatesNothing(path)) return { prompt, output: 0 }
  const asked = ofCompletion ?? ofChat ?? ofResponse
  // Cerebras writes "no bound" as -1.
  const bounded = asked !== undefined && asked > 0
  const output = bounded ? Math.min(asked, mostOutput) * Math.min(Math.max(1, choices), mostChoices) : undefined
  return { prompt, output }
}

/** A whole number of at least 1. `meanOutput` stands in where the request sets no bound. */
export const totalOf = ({ output, prompt }: TokenCost, meanOutput: number): number =>
  Math.max(1, Math.ceil(prompt + (output ?? meanOutput)))

export const tokensOf = (path: string, body: RequestBody, meanOutput: number): number =>
  totalOf(costOf(path, body), meanOutput)
