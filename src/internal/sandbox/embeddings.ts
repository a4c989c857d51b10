/** Unit vectors that follow from the text: the same text, the same vector. */
import type { Rendered } from "./chat.ts"
import { missing, type Problem } from "./errors.ts"
import { type JsonObject, number, string } from "./json.ts"
import { JSON_TYPE } from "./reply.ts"
import { hash, promptTokens } from "./text.ts"
import { random } from "../util/seededRandom.ts"

const DIMENSIONS = 1536

export const embeddings = (body: JsonObject, deployment: string | undefined): Rendered | Problem => {
  const model = string(body["model"]) ?? deployment
  if (model === undefined) return missing("model")
  const inputs = inputsOf(body["input"])
  if (inputs === undefined) return missing("input")
  const dimensions = number(body["dimensions"]) ?? (model.includes("3-large") ? 3072 : DIMENSIONS)
  const base64 = body["encoding_format"] === "base64"
  const tokens = inputs.reduce((sum, text) => sum + promptTokens(text.length), 0)
  const text = JSON.stringify({
    object: "list",
    data: inputs.map((input, index) => {
      const vector = vectorOf(input, dimensions)
      const embedding = base64 ? Buffer.from(vector.buffer).toString("base64") : Array.from(vector)
      return { object: "embedding", index, embedding }
    }),
    model,
    usage: { prompt_tokens: tokens, total_tokens: tokens }
  })
  const reply = {
    status: 200,
    headers: JSON_TYPE,
    chunks: [text],
    streamed: false,
    answerTokens: 0,
    tokens,
    asked: tokens
  }
  return { model, reply: () => reply }
}

/** A text, texts, a text as token numbers, or several of those. */
const inputsOf = (input: unknown): ReadonlyArray<string> | undefined => {
  if (typeof input === "string") return [input]
  if (!Array.isArray(input) || input.length === 0) return undefined
  if (input.every((item) => typeof item === "number")) return [input.join(" ")]
  return input.map((item) => (typeof item === "string" ? item : JSON.stringify(item)))
}

const vectorOf = (text: string, dimensions: number): Float32Array<ArrayBuffer> => {
  const next = random(hash(text))
  const vector = new Float32Array(dimensions)
  let square = 0
  for (let i = 0; i < dimensions; i++) {
    const x = next() * 2 - 1
    vector[i] = x
    square += x * x
  }
  const length = Math.sqrt(square)
  for (let i = 0; i < dimensions; i++) vector[i] = (vector[i] ?? 0) / length
  return vector
}
