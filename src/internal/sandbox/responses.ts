/** OpenAI's Responses API: text, JSON schema and functions, plain and streamed. Nothing is stored. */
import { type Rendered, textOf } from "./chat.ts"
import { missing, type Problem } from "./errors.ts"
import { array, type JsonObject, number, object, string } from "./json.ts"
import { JSON_TYPE, type Reply, SSE } from "./reply.ts"
import { type GenerationRequest, costOf, type Generation, think, type Tool } from "./think.ts"
import { Date } from "../util/timers.ts"

const toolOf = (tool: unknown): Array<Tool> => {
  const one = object(tool)
  const name = string(one?.["name"])
  return one?.["type"] === "function" && name !== undefined ? [{ name, schema: one["parameters"] }] : []
}

const choiceOf = (choice: unknown): GenerationRequest["toolChoice"] => {
  if (choice === "none" || choice === "required") return choice
  const name = string(object(choice)?.["name"])
  return name === undefined ? "auto" : { name }
}

const schemaOf = (format: JsonObject | undefined): unknown => {
  if (format?.["type"] === "json_object") return true
  return format?.["type"] === "json_schema" ? (format["schema"] ?? true) : undefined
}

const askOf = (body: JsonObject, model: string): GenerationRequest => {
  const input = body["input"]
  const items = typeof input === "string" ? [{ role: "user", content: input }] : array(input)
  const last = items.map((item) => object(item)).findLast((item) => item?.["role"] === "user")
  return {
    model,
    text: textOf(body["instructions"]) + items.map((item) => textOf(object(item)?.["content"])).join(""),
    prompt: textOf(last?.["content"]),
    tools: array(body["tools"]).flatMap(toolOf),
    toolChoice: choiceOf(body["tool_choice"]),
    toolsAnswered: object(items.at(-1))?.["type"] === "function_call_output",
    schema: schemaOf(object(object(body["text"])?.["format"])),
    maxTokens: number(body["max_output_tokens"])
  }
}

export const responses = (body: JsonObject, tokens: number): Rendered | Problem => {
  const model = string(body["model"])
  if (model === undefined) return missing("model")
  if (body["input"] === undefined) return missing("input")
  const said = think(askOf(body, model), tokens)
  const reply = body["stream"] === true ? eventReply : jsonReply
  return { model, reply: (id) => reply(id, frameOf(body, model, id), said) }
}

type Frame = (state: JsonObject, output: ReadonlyArray<JsonObject>) => JsonObject

/** A response object, of which `state` and `output` alone change. */
const frameOf =
  (body: JsonObject, model: string, id: string): Frame =>
  (state, output) => ({
    id: `resp_${id}`,
    object: "response",
    created_at: Math.floor(Date.now() / 1000),
    status: "in_progress",
    error: null,
    incomplete_details: null,
    instructions: body["instructions"] ?? null,
    max_output_tokens: body["max_output_tokens"] ?? null,
    metadata: {},
    model,
    output,
    parallel_tool_calls: true,
    temperature: 1,
    text: body["text"] ?? { format: { type: "text" } },
    tool_choice: body["tool_choice"] ?? "auto",
    tools: body["tools"] ?? [],
    top_p: 1,
    truncation: "disabled",
    usage: null,
    ...state
  })

const endOf = (said: Generation): JsonObject => {
  const cut = said.finish === "length"
  return {
    status: cut ? "incomplete" : "completed",
    incomplete_details: cut ? { reason: "max_output_tokens" } : null,
    usage: {
      input_tokens: said.promptTokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: said.answerTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: costOf(said).tokens
    }
  }
}

const jsonReply = (id: string, frame: Frame, said: Generation): Reply => {
  const chunks = [JSON.stringify(frame(endOf(said), outputOf(id, said)))]
  return { status: 200, headers: JSON_TYPE, chunks, streamed: false, ...costOf(said) }
}

const eventReply = (id: string, frame: Frame, said: Generation): Reply => {
  const output = outputOf(id, said)
  const end = endOf(said)
  const events: ReadonlyArray<JsonObject> = [
    { type: "response.created", response: frame({}, []) },
    { type: "response.in_progress", response: frame({}, []) },
    ...output.flatMap((item, index) => itemEvents(item, index, said)),
    { type: `response.${String(end["status"])}`, response: frame(end, output) }
  ]
  const chunks = events.map(
    (event, i) => `event: ${String(event["type"])}\ndata: ${JSON.stringify({ ...event, sequence_number: i })}\n\n`
  )
  return { status: 200, headers: SSE, chunks, streamed: true, ...costOf(said) }
}

const outputOf = (id: string, said: Generation): ReadonlyArray<JsonObject> =>
  said.calls.length > 0
    ? said.calls.map((call, index) => ({
        id: `fc_${id}_${index}`,
        type: "function_call",
        status: "completed",
        call_id: call.id,
        name: call.name,
        arguments: call.arguments
      }))
    : [{ id: `msg_${id}`, type: "message", status: "completed", role: "assistant", content: [textPart(said)] }]

const textPart = (said: Generation): JsonObject => ({
  type: "output_text",
  text: said.tokens.join(""),
  annotations: [],
  logprobs: []
})

const itemEvents = (item: JsonObject, index: number, said: Generation): ReadonlyArray<JsonObject> => {
  const at = { item_id: item["id"], output_index: index }
  const call = said.calls[index]
  const done = { type: "response.output_item.done", output_index: index, item }
  if (call !== undefined) {
    const deltas: Array<JsonObject> = []
    for (let i = 0; i < call.arguments.length; i += 4) {
      const delta = call.arguments.slice(i, i + 4)
      deltas.push({ type: "response.function_call_arguments.delta", ...at, delta })
    }
    return [
      {
        type: "response.output_item.added",
        output_index: index,
        item: { ...item, status: "in_progress", arguments: "" }
      },
      ...deltas,
      { type: "response.function_call_arguments.done", ...at, name: call.name, arguments: call.arguments },
      done
    ]
  }
  const part = { ...at, content_index: 0 }
  const text = said.tokens.join("")
  return [
    { type: "response.output_item.added", output_index: index, item: { ...item, status: "in_progress", content: [] } },
    { type: "response.content_part.added", ...part, part: { type: "output_text", text: "", annotations: [] } },
    ...said.tokens.map((delta) => ({ type: "response.output_text.delta", ...part, delta, logprobs: [] })),
    { type: "response.output_text.done", ...part, text, logprobs: [] },
    { type: "response.content_part.done", ...part, part: textPart(said) },
    done
  ]
}
