/** Anthropic's messages. */
import { type Rendered, textOf } from "./chat.ts"
import { missing, type Problem } from "./errors.ts"
import { array, type JsonObject, number, object, string } from "./json.ts"
import { JSON_TYPE, SSE } from "./reply.ts"
import { type GenerationRequest, costOf, type Generation, think, type Tool } from "./think.ts"

const STOP = { stop: "end_turn", length: "max_tokens", tool_calls: "tool_use" } as const

const toolOf = (tool: unknown): Array<Tool> => {
  const one = object(tool)
  const name = string(one?.["name"])
  return name === undefined ? [] : [{ name, schema: one?.["input_schema"] }]
}

const choiceOf = (choice: JsonObject | undefined): GenerationRequest["toolChoice"] => {
  const name = string(choice?.["name"])
  if (choice?.["type"] === "tool" && name !== undefined) return { name }
  return choice?.["type"] === "none" ? "none" : choice?.["type"] === "any" ? "required" : "auto"
}

const schemaOf = (body: JsonObject): unknown => {
  const format = object(body["output_format"]) ?? object(object(body["output_config"])?.["format"])
  return format?.["type"] === "json_schema" ? (format["schema"] ?? true) : undefined
}

export const messages = (body: JsonObject, tokens: number): Rendered | Problem => {
  const model = string(body["model"])
  if (model === undefined) return missing("model")
  const maxTokens = number(body["max_tokens"])
  if (maxTokens === undefined) return { status: 400, message: "max_tokens: Field required" }
  const conversation = array(body["messages"]).map((message) => object(message))
  const last = conversation.findLast((message) => message?.["role"] === "user")
  if (last === undefined) return { status: 400, message: "messages: at least one message is required" }
  const said = think(
    {
      model,
      text: textOf(body["system"]) + conversation.map((message) => textOf(message?.["content"])).join(""),
      prompt: textOf(last["content"]),
      tools: array(body["tools"]).flatMap(toolOf),
      toolChoice: choiceOf(object(body["tool_choice"])),
      toolsAnswered: array(last["content"]).some((part) => object(part)?.["type"] === "tool_result"),
      schema: schemaOf(body),
      maxTokens
    },
    tokens
  )
  const counted = costOf(said)
  const message = { type: "message", role: "assistant", model }
  if (body["stream"] !== true) {
    const usage = { input_tokens: said.promptTokens, output_tokens: said.answerTokens }
    const stop = { stop_reason: STOP[said.finish], stop_sequence: null }
    const rest = JSON.stringify({ ...message, content: contentOf(said), ...stop, usage }).slice(1)
    return {
      model,
      reply: (id) => ({
        status: 200,
        headers: JSON_TYPE,
        chunks: [`{"id":"msg_${id}",${rest}`],
        streamed: false,
        ...counted
      })
    }
  }
  const start = JSON.stringify({
    ...message,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: said.promptTokens, output_tokens: 1 }
  }).slice(1)
  const events = streamEvents(said)
  return {
    model,
    reply: (id) => ({
      status: 200,
      headers: SSE,
      chunks: [
        `event: message_start\ndata: {"type":"message_start","message":{"id":"msg_${id}",${start}}\n\n`,
        ...events
      ],
      streamed: true,
      ...counted
    })
  }
}

const contentOf = (said: Generation): ReadonlyArray<JsonObject> =>
  said.calls.length > 0
    ? said.calls.map((call) => ({
        type: "tool_use",
        id: call.id.replace("call_", "toolu_"),
        name: call.name,
        input: object(JSON.parse(call.arguments)) ?? {}
      }))
    : [{ type: "text", text: said.tokens.join(""), citations: null }]

const event = (type: string, value: JsonObject): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...value })}\n\n`

const streamEvents = (said: Generation): ReadonlyArray<string> => {
  const events: Array<string> = []
  const block = (index: number, start: JsonObject, deltas: ReadonlyArray<JsonObject>) => {
    events.push(event("content_block_start", { index, content_block: start }))
    if (index === 0) events.push(event("ping", {}))
    for (const delta of deltas) events.push(event("content_block_delta", { index, delta }))
    events.push(event("content_block_stop", { index }))
  }
  if (said.calls.length === 0) {
    const deltas = said.tokens.map((text) => ({ type: "text_delta", text }))
    block(0, { type: "text", text: "" }, deltas)
  }
  for (const [index, call] of said.calls.entries()) {
    const deltas: Array<JsonObject> = []
    for (let i = 0; i < call.arguments.length; i += 4) {
      deltas.push({ type: "input_json_delta", partial_json: call.arguments.slice(i, i + 4) })
    }
    block(index, { type: "tool_use", id: call.id.replace("call_", "toolu_"), name: call.name, input: {} }, deltas)
  }
  events.push(
    event("message_delta", {
      delta: { stop_reason: STOP[said.finish], stop_sequence: null },
      usage: { output_tokens: said.answerTokens }
    }),
    event("message_stop", {})
  )
  return events
}
