/** A provider whose answers are written by hand, and which records its requests. */
import * as http from "node:http"
import * as Effect from "effect/Effect"

interface Call {
  readonly name: string
  /** As the model says them: JSON, if it keeps to it. */
  readonly arguments: string
}

/** Calls, or a text. Kept back until the promise, if there is one; of a stream only the rest is, if there is a beginning. */
export type Turn =
  | string
  | ReadonlyArray<Call>
  | Promise<string>
  | { readonly first: string; readonly rest: Promise<string> }

const message = (turn: string | ReadonlyArray<Call>) =>
  typeof turn === "string"
    ? { role: "assistant", content: turn }
    : {
        role: "assistant",
        content: null,
        tool_calls: turn.map((call, i) => ({ id: `call_${i}`, type: "function", function: call }))
      }

const head = { id: "chatcmpl", created: 1_700_000_000, model: "scripted" }

const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }

const event = (said: object): string => `data: ${JSON.stringify({ ...head, ...said })}\n\n`

const delta = (said: object): string => event({ choices: [{ index: 0, delta: said }] })

/** Arguments come in two halves. */
const called = ({ arguments: text, name }: Call, index: number): string => {
  const half = Math.ceil(text.length / 2)
  return [
    { index, id: `call_${index}`, type: "function", function: { name, arguments: text.slice(0, half) } },
    { index, function: { arguments: text.slice(half) } }
  ]
    .map((call) => delta({ tool_calls: [call] }))
    .join("")
}

const stream = async (response: http.ServerResponse, turn: Turn): Promise<void> => {
  response.writeHead(200, { "content-type": "text/event-stream" }).write(delta({ role: "assistant" }))
  if (typeof turn === "object" && "first" in turn) response.write(delta({ content: turn.first }))
  const said = await (typeof turn === "object" && "rest" in turn ? turn.rest : turn)
  const isText = typeof said === "string"
  if (isText) for (const word of said.split(/(?<= )/)) response.write(delta({ content: word }))
  else response.write(said.map(called).join(""))
  response.write(event({ choices: [{ index: 0, delta: {}, finish_reason: isText ? "stop" : "tool_calls" }] }))
  response.end(`${event({ choices: [], usage })}data: [DONE]\n\n`)
}

interface Parameters {
  readonly required?: ReadonlyArray<string>
  readonly additionalProperties?: boolean
}

interface Asked {
  readonly stream?: boolean
  readonly tool_choice?: unknown
  readonly messages: ReadonlyArray<{
    readonly role: string
    readonly content: string
    readonly tool_call_id?: string
    readonly tool_calls?: ReadonlyArray<unknown>
  }>
  readonly tools?: ReadonlyArray<{ readonly function: { readonly name: string; readonly parameters: Parameters } }>
}

export const make = (...turns: ReadonlyArray<Turn>) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const asked: Array<Asked> = []
      let aborted = 0
      let open = 0
      const server = http.createServer(async (request, response) => {
        const chunks: Array<Buffer> = []
        for await (const chunk of request) chunks.push(chunk as Buffer)
        const turn = turns[asked.length] ?? "done"
        const ask = JSON.parse(Buffer.concat(chunks).toString()) as Asked
        asked.push(ask)
        open++
        response.on("close", () => {
          open--
          if (!response.writableFinished) aborted++
        })
        if (ask.stream === true) return stream(response, turn)
        const said = typeof turn === "object" && "rest" in turn ? turn.first + (await turn.rest) : await turn
        response.writeHead(200, { "content-type": "application/json" }).end(
          JSON.stringify({
            ...head,
            choices: [
              { index: 0, message: message(said), finish_reason: typeof said === "string" ? "stop" : "tool_calls" }
            ],
            usage
          })
        )
      })
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      return { server, baseURL: `http://127.0.0.1:${port}/v1`, asked, aborted: () => aborted, open: () => open }
    }),
    ({ server }) =>
      Effect.promise(async () => {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      })
  )
