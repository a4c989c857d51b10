/**
 * A service that asks a model for each request, and how it ends. On SIGTERM or SIGINT it accepts no more connections, lets
 * running answers come to their end within the bound, closes its clients, and exits with 0. A second signal ends it at once.
 *
 *     OPENAI_API_KEY=... node examples/shutdown.ts
 *     curl "http://127.0.0.1:8080/?question=What+is+a+lease"
 */
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { closeAll } from "clientele/Promise"
import { getOpenAIClient } from "clientele/promise/openai"

/** In milliseconds; less than what kills us otherwise, such as Kubernetes' terminationGracePeriodSeconds of 30. */
const bound = Number(process.env["BOUND"] ?? 20_000)

const answer = async (question: string, response: ServerResponse): Promise<void> => {
  // Cancels the request of a client that hangs up: its answer would cost tokens.
  const hungUp = new AbortController()
  response.once("close", () => hungUp.abort())
  const stream = await getOpenAIClient().chat.completions.create(
    { model: process.env["MODEL"] ?? "gpt-5-mini", messages: [{ role: "user", content: question }], stream: true },
    { signal: hungUp.signal }
  )
  for await (const chunk of stream) {
    const text = chunk.choices[0]?.delta.content ?? ""
    if (text !== "" && !response.write(text)) await once(response, "drain", { signal: hungUp.signal })
  }
  response.end()
}

let stopping = false

const server = createServer((request: IncomingMessage, response: ServerResponse) => {
  // Connections that are kept for another request would keep the server open: `close` ends only those that are idle now.
  response.once("close", () => stopping && request.socket.end())
  const question = new URL(request.url ?? "/", "http://service").searchParams.get("question") ?? "What is a lease?"
  answer(question, response).catch((error: unknown) => {
    if (response.destroyed) return
    console.error(String(error))
    // Half an answer must not look like a whole one.
    if (response.headersSent) response.destroy()
    else response.writeHead(502).end("the model failed\n")
  })
})

// Longer than balancers keep theirs, 60 seconds most often, so that none sends on one that we are just closing.
server.keepAliveTimeout = 65_000

/** Nothing new, then what runs, then what it runs on. */
const stop = async (): Promise<void> => {
  const late = setTimeout(() => server.closeAllConnections(), bound)
  const closed = once(server, "close")
  server.close()
  await closed
  clearTimeout(late)
  await closeAll()
  console.log("closed")
}

const onSignal = (signal: NodeJS.Signals, number: number): void => {
  if (stopping) process.exit(128 + number)
  stopping = true
  console.log(`${signal}: stopping`)
  void stop()
}
for (const name of ["SIGTERM", "SIGINT"]) process.on(name, onSignal)

server.listen(Number(process.env["PORT"] ?? 8080), () => {
  console.log(`listening at http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
