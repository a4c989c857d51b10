/** A provider of both APIs that is written by hand: it keeps its requests, and responds on command. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import type { ProviderName } from "../../src/testing/Sandbox.ts"
import { until } from "../support/wait.ts"

export type Road = "chat" | "responses"

interface Sent {
  readonly road: Road
  readonly body: Readonly<Record<string, unknown>>
}

export interface Wire {
  readonly baseURL: (provider: ProviderName) => string
  readonly sent: ReadonlyArray<Sent>
}

type Answer = (response: http.ServerResponse, road: Road) => void

const event = (said: object): string => `data: ${JSON.stringify(said)}\n\n`

const head = { id: "one", model: "m", created: 1_700_000_000, created_at: 1_700_000_000 }

const item = { id: "msg", type: "message", role: "assistant" }

/** Events before the text, a piece of it, and its end. */
export const events: Readonly<
  Record<Road, { readonly start: string; readonly piece: (text: string) => string; readonly end: string }>
> = {
  chat: {
    start: event({ ...head, choices: [{ delta: { role: "assistant" } }] }),
    piece: (content) => event({ ...head, choices: [{ delta: { content } }] }),
    end: `${event({ ...head, choices: [{ delta: {}, finish_reason: "stop" }] })}data: [DONE]\n\n`
  },
  responses: {
    start: `${event({ type: "response.created", response: { ...head, output: [] } })}${event({ type: "response.output_item.added", item })}`,
    piece: (delta) => event({ type: "response.output_text.delta", item_id: "msg", delta }),
    end: `${event({ type: "response.output_item.done", item })}${event({ type: "response.completed", response: { ...head, output: [] } })}`
  }
}

/** A stream of `chat.completions` that says just these. */
export const deltas = (all: ReadonlyArray<object>, finish_reason: string, id = "one"): string =>
  [...all.map((delta) => ({ delta })), { delta: {}, finish_reason }]
    .map((choice) => event({ ...head, id, choices: [choice] }))
    .concat("data: [DONE]\n\n")
    .join("")

export const stream = (response: http.ServerResponse): http.ServerResponse =>
  response.writeHead(200, { "content-type": "text/event-stream" })

export const whole = (response: http.ServerResponse, said: object): void => {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(said))
}

/** "ok" of either API. */
export const ok: Answer = (response, road) =>
  whole(
    response,
    road === "chat"
      ? { ...head, choices: [{ message: { content: "ok" }, finish_reason: "stop" }] }
      : { ...head, status: "completed", output: [{ ...item, content: [{ type: "output_text", text: "ok" }] }] }
  )

const tokens = { prompt_tokens: 3, completion_tokens: 9, total_tokens: 12 }
const details = {
  prompt_tokens_details: { cached_tokens: 2 },
  completion_tokens_details: { reasoning_tokens: 5 }
}
const usage = { ...tokens, ...details }
const responsesUsage = {
  input_tokens: 3,
  output_tokens: 9,
  total_tokens: 12,
  input_tokens_details: details.prompt_tokens_details,
  output_tokens_details: details.completion_tokens_details
}
const summary = ["let me", "see"]
const thoughts = {
  type: "reasoning",
  id: "rs_1",
  encrypted_content: "abc",
  summary: summary.map((text) => ({ type: "summary_text", text }))
}
/** All that it says of itself is what must be sent back. */
const silent = { type: "reasoning", id: "rs_2", encrypted_content: "def", summary: [] }

/** An answer that was thought about. */
export const thought: Readonly<Record<Road, { readonly whole: object; readonly events: string }>> = {
  chat: {
    whole: {
      ...head,
      choices: [{ message: { reasoning: summary.join("\n"), content: "so it is" }, finish_reason: "stop" }],
      usage
    },
    events: [
      { choices: [{ delta: { reasoning: "let me" } }] },
      { choices: [{ delta: { reasoning_content: "\nsee" } }] },
      { choices: [{ delta: { content: "so it is" } }] },
      { choices: [{ delta: {}, finish_reason: "stop" }] },
      { choices: [], usage }
    ]
      .map((said) => event({ ...head, ...said }))
      .concat("data: [DONE]\n\n")
      .join("")
  },
  responses: {
    whole: {
      ...head,
      status: "completed",
      output: [thoughts, silent, { ...item, content: [{ type: "output_text", text: "so it is" }] }],
      usage: responsesUsage
    },
    events: [
      { type: "response.created", response: { ...head, output: [] } },
      { type: "response.output_item.added", item: { type: "reasoning", id: "rs_1" } },
      ...summary.flatMap((delta) => [
        { type: "response.reasoning_summary_part.added", item_id: "rs_1" },
        { type: "response.reasoning_summary_text.delta", item_id: "rs_1", delta }
      ]),
      { type: "response.output_item.done", item: thoughts },
      { type: "response.output_item.done", item: silent },
      { type: "response.output_text.delta", item_id: "msg", delta: "so it is" },
      { type: "response.output_item.done", item },
      { type: "response.completed", response: { ...head, output: [], usage: responsesUsage } }
    ]
      .map(event)
      .join("")
  }
}

/** An answer without an end in sight, and until when it was written. */
export const flood = () => {
  const total = 1_024
  let written = 0
  let waitsSince: number | undefined
  return {
    answer: async (response: http.ServerResponse, road: Road): Promise<void> => {
      const { end, piece, start } = events[road]
      stream(response).write(start)
      const text = piece("x".repeat(65_536))
      const closed = new Promise((resolve) => response.once("close", resolve))
      for (; written < total && !response.destroyed; written++) {
        if (response.write(text)) continue
        waitsSince = Date.now()
        await Promise.race([closed, new Promise((resolve) => response.once("drain", resolve))])
        waitsSince = undefined
      }
      response.end(end)
    },
    /** True if its writes were held up for long by backpressure: else it would come to its end. */
    isHeld: async (): Promise<boolean> => {
      await until(() => written === total || (waitsSince !== undefined && Date.now() - waitsSince > 300))
      return written < total
    }
  }
}

export const make = (answer: Answer): Effect.Effect<Wire, never, Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const sent: Array<Sent> = []
        const server = http.createServer(async (request, response) => {
          const chunks: Array<Buffer> = []
          for await (const chunk of request) chunks.push(chunk as Buffer)
          const road = request.url?.split("?")[0]?.endsWith("/responses") === true ? "responses" : "chat"
          sent.push({ road, body: JSON.parse(Buffer.concat(chunks).toString()) as Sent["body"] })
          answer(response, road)
        })
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
        return { server, sent, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
      }),
      ({ server }) =>
        Effect.promise(async () => {
          server.closeAllConnections()
          await new Promise((resolve) => server.close(resolve))
        })
    ),
    ({ origin, sent }) => ({ sent, baseURL: (provider) => (provider === "openai" ? `${origin}/v1` : origin) })
  )
