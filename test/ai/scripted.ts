/** A provider whose answers are written by hand, and which tells what it was asked. */
import * as http from "node:http"
import * as Effect from "effect/Effect"

interface Call {
  readonly name: string
  /** As the model says them: JSON, if it keeps to it. */
  readonly arguments: string
}

/** Calls, or a text. Kept back until the promise, if there is one. */
export type Turn = string | ReadonlyArray<Call> | Promise<string>

const message = (turn: string | ReadonlyArray<Call>) =>
  typeof turn === "string"
    ? { role: "assistant", content: turn }
    : {
        role: "assistant",
        content: null,
        tool_calls: turn.map((call, i) => ({ id: `call_${i}`, type: "function", function: call }))
      }

interface Parameters {
  readonly required?: ReadonlyArray<string>
  readonly additionalProperties?: boolean
}

interface Asked {
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
      const server = http.createServer(async (request, response) => {
        const chunks: Array<Buffer> = []
        for await (const chunk of request) chunks.push(chunk as Buffer)
        const turn = turns[asked.length] ?? "done"
        asked.push(JSON.parse(Buffer.concat(chunks).toString()) as Asked)
        response.on("close", () => {
          if (!response.writableFinished) aborted++
        })
        const said = await turn
        response.writeHead(200, { "content-type": "application/json" }).end(
          JSON.stringify({
            id: `chatcmpl-${asked.length}`,
            object: "chat.completion",
            created: 1_700_000_000,
            model: "scripted",
            choices: [
              { index: 0, message: message(said), finish_reason: typeof said === "string" ? "stop" : "tool_calls" }
            ],
            usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
          })
        )
      })
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      return { server, baseURL: `http://127.0.0.1:${port}/v1`, asked, aborted: () => aborted }
    }),
    ({ server }) =>
      Effect.promise(async () => {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      })
  )
