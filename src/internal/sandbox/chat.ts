/** Chat completions as OpenAI writes them, with what Azure, Groq and Cerebras add. */
import { missing, type Problem } from "./errors.ts"
import { array, type JsonObject, number, object, string } from "./json.ts"
import type { ProviderName } from "./model.ts"
import { JSON_TYPE, type Reply, SSE } from "./reply.ts"
import { type GenerationRequest, costOf, type Generation, think, type Tool } from "./think.ts"
import { Date } from "../util/timers.ts"

/** A reply but for its id and time, which are all that differs when the same is asked again. */
export interface Rendered {
  readonly model: string
  readonly reply: (id: string) => Reply
}

export const isProblem = (value: object): value is Problem => "status" in value

export const textOf = (content: unknown): string =>
  typeof content === "string" ? content : array(content).map(partText).join("")

const partText = (part: unknown): string => string(object(part)?.["text"]) ?? textOf(object(part)?.["content"] ?? "")

const toolOf = (tool: unknown): Array<Tool> => {
  const fn = object(object(tool)?.["function"])
  const name = string(fn?.["name"])
  return name === undefined ? [] : [{ name, schema: fn?.["parameters"] }]
}

const choiceOf = (choice: unknown): GenerationRequest["toolChoice"] => {
  if (choice === "none" || choice === "required") return choice
  const name = string(object(object(choice)?.["function"])?.["name"])
  return name === undefined ? "auto" : { name }
}

const schemaOf = (format: JsonObject | undefined): unknown => {
  if (format?.["type"] === "json_object") return true
  if (format?.["type"] !== "json_schema") return undefined
  return object(format["json_schema"])?.["schema"] ?? true
}

const askOf = (body: JsonObject, model: string, messages: ReadonlyArray<unknown>): GenerationRequest => {
  let text = ""
  let prompt = ""
  let toolsAnswered = false
  for (const message of messages) {
    const one = object(message)
    const content = textOf(one?.["content"])
    text += content
    if (one?.["role"] === "user") {
      prompt = content
      toolsAnswered = false
    }
    if (one?.["role"] === "tool") toolsAnswered = true
  }
  return {
    model,
    text,
    prompt,
    toolsAnswered,
    tools: array(body["tools"]).flatMap(toolOf),
    toolChoice: choiceOf(body["tool_choice"]),
    schema: schemaOf(object(body["response_format"])),
    maxTokens: number(body["max_completion_tokens"]) ?? number(body["max_tokens"])
  }
}

export const chat = (
  provider: ProviderName,
  body: JsonObject,
  deployment: string | undefined,
  tokens: number
): Rendered | Problem => {
  const model = string(body["model"]) ?? deployment
  if (model === undefined) return missing("model")
  if (!Array.isArray(body["messages"])) return missing("messages")
  if (body["messages"].length === 0) {
    return {
      status: 400,
      code: "empty_array",
      param: "messages",
      message:
        "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
    }
  }
  const said = think(askOf(body, model, body["messages"]), tokens)
  if (body["stream"] !== true) return { model, reply: jsonReply(provider, model, said) }
  const includeUsage = object(body["stream_options"])?.["include_usage"] === true
  return { model, reply: eventReply(provider, model, said, includeUsage) }
}

const usageOf = (said: Generation): JsonObject => ({
  prompt_tokens: said.promptTokens,
  completion_tokens: said.answerTokens,
  total_tokens: said.promptTokens + said.answerTokens
})

const jsonReply = (provider: ProviderName, model: string, said: Generation): Rendered["reply"] => {
  const rest = JSON.stringify({ model, ...plainChoice(said), usage: usageOf(said), ...extras(provider) }).slice(1)
  const counted = costOf(said)
  return (id) => ({
    status: 200,
    headers: JSON_TYPE,
    chunks: [`{"id":"chatcmpl-${id}","object":"chat.completion","created":${now()},${rest}`],
    streamed: false,
    ...counted
  })
}

/** Azure first sends, in a chunk of its own, its assessment of the prompt. */
const PROMPT_FILTER = `data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}\n\n`

const eventReply = (
  provider: ProviderName,
  model: string,
  said: Generation,
  includeUsage: boolean
): Rendered["reply"] => {
  const rests = streamChunks(provider, model, said, includeUsage).map(
    (chunk) => `${JSON.stringify(chunk).slice(1)}\n\n`
  )
  const first = provider === "azure" ? [PROMPT_FILTER] : []
  const counted = costOf(said)
  return (id) => {
    const head = `data: {"id":"chatcmpl-${id}","object":"chat.completion.chunk","created":${now()},`
    return {
      status: 200,
      headers: SSE,
      chunks: [...first, ...rests.map((rest) => head + rest), "data: [DONE]\n\n"],
      streamed: true,
      ...counted
    }
  }
}

const now = (): number => Math.floor(Date.now() / 1000)

const extras = (provider: ProviderName): JsonObject => {
  switch (provider) {
    case "groq":
      return { system_fingerprint: "fp_sandbox", usage_breakdown: null, x_groq: { id: "req_sandbox" } }
    case "cerebras":
      return {
        system_fingerprint: "fp_sandbox",
        time_info: { queue_time: 0, prompt_time: 0, completion_time: 0, total_time: 0, created: now() }
      }
    case "azure":
      return { system_fingerprint: "fp_sandbox", prompt_filter_results: [] }
    default:
      return { service_tier: "default", system_fingerprint: "fp_sandbox" }
  }
}

const toolCalls = (said: Generation): Array<JsonObject> =>
  said.calls.map((call) => ({
    id: call.id,
    type: "function",
    function: { name: call.name, arguments: call.arguments }
  }))

const plainChoice = (said: Generation): JsonObject => ({
  choices: [
    {
      index: 0,
      message: {
        role: "assistant",
        content: said.calls.length > 0 ? null : said.tokens.join(""),
        refusal: null,
        ...(said.calls.length > 0 ? { tool_calls: toolCalls(said) } : {})
      },
      logprobs: null,
      finish_reason: said.finish
    }
  ]
})

const streamChunks = (
  provider: ProviderName,
  model: string,
  said: Generation,
  includeUsage: boolean
): ReadonlyArray<JsonObject> => {
  const usage = usageOf(said)
  const base = { model, system_fingerprint: "fp_sandbox" }
  const unused = includeUsage && provider === "openai" ? { usage: null } : {}
  const delta = (value: JsonObject, finish: string | null = null): JsonObject => ({
    ...base,
    choices: [{ index: 0, delta: value, logprobs: null, finish_reason: finish }],
    ...unused
  })
  const chunks: Array<JsonObject> = [delta({ role: "assistant", content: said.calls.length > 0 ? null : "" })]
  for (const token of said.tokens) chunks.push(delta({ content: token }))
  for (const [index, call] of said.calls.entries()) {
    chunks.push(
      delta({ tool_calls: [{ index, id: call.id, type: "function", function: { name: call.name, arguments: "" } }] })
    )
    for (let i = 0; i < call.arguments.length; i += 4) {
      chunks.push(delta({ tool_calls: [{ index, function: { arguments: call.arguments.slice(i, i + 4) } }] }))
    }
  }
  const last = delta({}, said.finish)
  // These two send the usage with the last choice whether requested or not.
  if (provider === "groq") chunks.push({ ...last, x_groq: { id: "req_sandbox", usage } })
  else if (provider === "cerebras") chunks.push({ ...last, usage, ...extras(provider) })
  else chunks.push(last)
  if (includeUsage && provider !== "cerebras") chunks.push({ ...base, choices: [], usage })
  return chunks
}
