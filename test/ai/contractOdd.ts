/** Answers that no sandbox would give by itself, in the words of either API: whole, and as the events of a stream. */

interface Called {
  readonly name: string
  /** As the model says them: JSON, if it keeps to it. */
  readonly arguments: string
}

export type Scripted =
  | { readonly calls: ReadonlyArray<Called> }
  | { readonly text: string }
  | "refusal"
  | "empty"
  /** That it failed, under a status of 200. */
  | "failed"

interface Road {
  readonly whole: (odd: Scripted) => object
  readonly events: (odd: Scripted) => string
}

const error = { message: "out of luck", type: "server_error", code: "server_error" }

const textOf = (odd: Scripted): string => (typeof odd === "object" && "text" in odd ? odd.text : "")

const callsOf = (odd: Scripted) => (typeof odd === "object" && "calls" in odd ? odd.calls : [])

const halves = (text: string): ReadonlyArray<string> => {
  const half = Math.ceil(text.length / 2)
  return [text.slice(0, half), text.slice(half)].filter((part) => part !== "")
}

const sse = (events: ReadonlyArray<object>): string =>
  events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")

const head = { id: "odd", model: "test-model", created: 1_700_000_000, created_at: 1_700_000_000 }

const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }

const choice = (said: object, reason: string | null = null) => ({
  ...head,
  object: "chat.completion.chunk",
  choices: [{ index: 0, delta: said, finish_reason: reason }]
})

const finish = (odd: Scripted): string => (callsOf(odd).length > 0 ? "tool_calls" : "stop")

export const chat: Road = {
  whole: (odd) =>
    odd === "failed"
      ? { error }
      : {
          ...head,
          object: "chat.completion",
          choices: [
            {
              index: 0,
              message: {
                role: "assistant",
                content: odd === "refusal" ? null : textOf(odd),
                ...(odd === "refusal" && { refusal: "no" }),
                ...(callsOf(odd).length > 0 && {
                  tool_calls: callsOf(odd).map((call, i) => ({ id: `call_${i}`, type: "function", function: call }))
                })
              },
              finish_reason: finish(odd)
            }
          ],
          usage
        },
  events: (odd) => {
    const begun = [choice({ role: "assistant", content: "" })]
    if (odd === "failed") return sse([...begun, choice({ content: "half" }), { error }])
    const said = [
      ...halves(textOf(odd)).map((content) => choice({ content })),
      ...(odd === "refusal" ? ["n", "o"].map((refusal) => choice({ refusal })) : []),
      ...callsOf(odd).flatMap(({ arguments: text, name }, index) => [
        choice({ tool_calls: [{ index, id: `call_${index}`, type: "function", function: { name, arguments: "" } }] }),
        ...halves(text).map((part) => choice({ tool_calls: [{ index, function: { arguments: part } }] }))
      ])
    ]
    return `${sse([...begun, ...said, choice({}, finish(odd)), { ...head, choices: [], usage }])}data: [DONE]\n\n`
  }
}

const message = { id: "msg_odd", type: "message", role: "assistant" }

const itemsOf = (odd: Scripted): ReadonlyArray<{ readonly id: string; readonly content?: ReadonlyArray<object> }> =>
  callsOf(odd).length > 0
    ? callsOf(odd).map((call, i) => ({ id: `fc_${i}`, call_id: `call_${i}`, type: "function_call", ...call }))
    : [
        {
          ...message,
          content: [odd === "refusal" ? { type: "refusal", refusal: "no" } : { type: "output_text", text: textOf(odd) }]
        }
      ]

const response = (odd: Scripted) => ({
  ...head,
  object: "response",
  ...(odd === "failed"
    ? { status: "failed", output: [], error }
    : {
        status: "completed",
        output: itemsOf(odd),
        usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5 }
      })
})

const delta = (type: string, item_id: string, delta: string) => ({ type: `response.${type}.delta`, item_id, delta })

export const responses: Road = {
  whole: response,
  events: (odd) => {
    const begun = { type: "response.created", response: { ...head, status: "in_progress", output: [] } }
    if (odd === "failed") {
      return sse([
        begun,
        delta("output_text", message.id, "half"),
        { type: "response.failed", response: response(odd) }
      ])
    }
    const said = itemsOf(odd).flatMap((item, i) => [
      { type: "response.output_item.added", item: { ...item, content: [], arguments: "" } },
      ...halves(textOf(odd)).map((part) => delta("output_text", item.id, part)),
      ...(odd === "refusal" ? ["n", "o"].map((part) => delta("refusal", item.id, part)) : []),
      ...halves(callsOf(odd)[i]?.arguments ?? "").map((part) => delta("function_call_arguments", item.id, part)),
      { type: "response.output_item.done", item }
    ])
    return sse([begun, ...said, { type: "response.completed", response: response(odd) }])
  }
}
