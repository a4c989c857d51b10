/**
 * The model: its answer is determined by the request. One rule for tokens, whatever the provider: a prompt has one for
 * every four characters of its texts, rounded up; an answer has one for every word of prose and for every four
 * characters of JSON; and each token of an answer is one event of a stream.
 */
import { hash, pieces, promptTokens, prose } from "./text.ts"
import { random } from "../util/seededRandom.ts"
import { fromSchema } from "./schema.ts"

export interface Tool {
  readonly name: string
  readonly schema: unknown
}

export interface GenerationRequest {
  readonly model: string
  /** All texts of the conversation. */
  readonly text: string
  /** The user's last message. */
  readonly prompt: string
  readonly tools: ReadonlyArray<Tool>
  readonly toolChoice: "auto" | "none" | "required" | { readonly name: string }
  /** The conversation ends with results of tools. */
  readonly toolsAnswered: boolean
  /** `true` for any JSON object. */
  readonly schema: unknown
  /** Negative for no bound, as Cerebras has it. */
  readonly maxTokens: number | undefined
}

interface Call {
  readonly id: string
  readonly name: string
  readonly arguments: string
}

export interface Generation {
  /** Empty where tools are called. */
  readonly tokens: ReadonlyArray<string>
  readonly calls: ReadonlyArray<Call>
  readonly finish: "stop" | "length" | "tool_calls"
  readonly promptTokens: number
  readonly answerTokens: number
  /** Tokens of the longest answer that the request allows, if it has a bound. */
  readonly askedTokens: number
}

/** Cost of a reply in tokens: by `usage`, and with the longest answer that was asked for. */
export const costOf = (
  said: Generation
): { readonly answerTokens: number; readonly tokens: number; readonly asked: number } => ({
  answerTokens: said.answerTokens,
  tokens: said.promptTokens + said.answerTokens,
  asked: said.promptTokens + said.askedTokens
})

export const think = (ask: GenerationRequest, tokens: number): Generation => {
  const seed = hash(ask.text)
  const prompt = promptTokens(ask.text.length)
  const chosen = ask.toolsAnswered || ask.toolChoice === "none" ? [] : chooseTools(ask)
  if (chosen.length > 0) {
    const calls = chosen.map((tool, index) => {
      const next = random(hash(tool.name, seed + index))
      return {
        id: `call_${hash(tool.name, seed + index)
          .toString(16)
          .padStart(8, "0")}`,
        name: tool.name,
        arguments: JSON.stringify(fromSchema(tool.schema ?? { type: "object" }, next))
      }
    })
    const answerTokens = calls.reduce((sum, call) => sum + pieces(call.arguments).length, 0)
    const askedTokens = Math.max(answerTokens, ask.maxTokens ?? 0)
    return { tokens: [], calls, finish: "tool_calls", promptTokens: prompt, answerTokens, askedTokens }
  }
  const next = random(seed)
  const all =
    ask.schema === undefined
      ? prose(next, tokens)
      : pieces(JSON.stringify(ask.schema === true ? { answer: prose(next, 3).join("") } : fromSchema(ask.schema, next)))
  const cut = ask.maxTokens !== undefined && ask.maxTokens >= 0 && ask.maxTokens < all.length
  const said = cut ? all.slice(0, ask.maxTokens) : all
  return {
    tokens: said,
    calls: [],
    finish: cut ? "length" : "stop",
    promptTokens: prompt,
    answerTokens: said.length,
    askedTokens: Math.max(said.length, ask.maxTokens ?? 0)
  }
}

/** The tool that was ordered, else the one that the prompt names, else the first; two for a prompt with "call both". */
const chooseTools = (ask: GenerationRequest): ReadonlyArray<Tool> => {
  const choice = ask.toolChoice
  if (typeof choice === "object") return ask.tools.filter((tool) => tool.name === choice.name).slice(0, 1)
  if (/call both/i.test(ask.prompt)) return ask.tools.slice(0, 2)
  const named = ask.tools.find((tool) => ask.prompt.includes(tool.name))
  return named === undefined ? ask.tools.slice(0, 1) : [named]
}
