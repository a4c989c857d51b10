/** A server of chat completions that keeps its requests until it is told to answer. */
import * as Effect from "effect/Effect"
import * as http from "node:http"

export interface Holding {
  readonly baseURL: string
  /** The prompts that came, in their order. */
  readonly prompts: ReadonlyArray<string>
  /** Answers all that have come, and from now on at once. */
  readonly open: () => void
  /** Requests that have not been answered. */
  readonly held: () => number
}

const answer = (response: http.ServerResponse): void => {
  const choices = [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "ok" } }]
  response.writeHead(200, { "content-type": "application/json" })
  response.end(JSON.stringify({ id: "1", object: "chat.completion", created: 1, model: "m", choices }))
}

const promptOf = async (request: http.IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const { messages } = JSON.parse(Buffer.concat(chunks).toString()) as { messages: ReadonlyArray<{ content: string }> }
  return messages[0]!.content
}

export const serveHolding = Effect.acquireRelease(
  Effect.promise(async () => {
    const prompts: Array<string> = []
    const waiting = new Set<http.ServerResponse>()
    let isOpen = false
    const server = http.createServer((request, response) => {
      waiting.add(response)
      response.on("close", () => waiting.delete(response))
      promptOf(request).then(
        (prompt) => {
          prompts.push(prompt)
          if (isOpen) answer(response)
        },
        () => undefined
      )
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as { readonly port: number }
    const holding: Holding = {
      baseURL: `http://127.0.0.1:${port}/v1`,
      prompts,
      held: () => waiting.size,
      open: () => {
        isOpen = true
        for (const response of waiting) answer(response)
      }
    }
    return { holding, server }
  }),
  ({ server }) =>
    Effect.sync(() => {
      server.closeAllConnections()
      server.close()
    })
).pipe(Effect.map(({ holding }) => holding))
