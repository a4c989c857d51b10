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

/** The parts of a request that its answer depends on. */
interface Asked {
  readonly stream?: boolean
  readonly input?: string
  readonly messages?: ReadonlyArray<{ readonly content: string | ReadonlyArray<{ readonly text: string }> }>
}

const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }

const answerOf = ({ input, stream }: Asked): readonly [type: string, body: string] => {
  const common = { id: "1", created: 1, model: "m" }
  if (input !== undefined) {
    const data = [{ object: "embedding", index: 0, embedding: [1] }]
    return ["application/json", JSON.stringify({ ...common, object: "list", data, usage })]
  }
  const content = { role: "assistant", content: "ok" }
  const choice = { index: 0, finish_reason: "stop" }
  if (stream !== true) {
    const choices = [{ ...choice, message: content }]
    return ["application/json", JSON.stringify({ ...common, object: "chat.completion", choices, usage })]
  }
  const chunk = JSON.stringify({
    ...common,
    object: "chat.completion.chunk",
    choices: [{ ...choice, delta: content }]
  })
  return ["text/event-stream", `data: ${chunk}\n\ndata: [DONE]\n\n`]
}

const answer = (response: http.ServerResponse, asked: Asked): void => {
  const [type, body] = answerOf(asked)
  response.writeHead(200, { "content-type": type })
  response.end(body)
}

const read = async (request: http.IncomingMessage): Promise<Asked> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString()) as Asked
}

const promptOf = ({ input, messages }: Asked): string => {
  const content = input ?? messages?.at(-1)?.content ?? ""
  return typeof content === "string" ? content : content.map(({ text }) => text).join("")
}

export const serveHolding = Effect.acquireRelease(
  Effect.promise(async () => {
    const prompts: Array<string> = []
    const waiting = new Map<http.ServerResponse, Asked | undefined>()
    let isOpen = false
    const server = http.createServer((request, response) => {
      waiting.set(response, undefined)
      response.on("close", () => waiting.delete(response))
      read(request).then(
        (asked) => {
          prompts.push(promptOf(asked))
          waiting.set(response, asked)
          if (isOpen) answer(response, asked)
        },
        () => undefined
      )
    })
    // A busy process, which runs its clients too, may come late to an idle connection.
    server.keepAliveTimeout = 0
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as { readonly port: number }
    const holding: Holding = {
      baseURL: `http://127.0.0.1:${port}/v1`,
      prompts,
      held: () => waiting.size,
      open: () => {
        isOpen = true
        for (const [response, asked] of waiting) if (asked !== undefined) answer(response, asked)
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
