/**
 * A handler of Hono, without Effect: one line where `new OpenAI()` was, at each request.
 *
 *     OPENAI_API_KEY=... node examples/hono.ts "What is a lease?"
 */
import { Hono } from "hono"
import { streamText } from "hono/streaming"
import { getOpenAIClient } from "clientele/promise/openai"

export const app = new Hono()

app.get("/ask", (context) =>
  streamText(context, async (out) => {
    const abort = new AbortController()
    // Cancels the request of a client that hangs up: its answer would cost tokens.
    out.onAbort(() => abort.abort())
    const answer = await getOpenAIClient({ maxRetries: 1 }).chat.completions.create(
      {
        model: process.env["MODEL"] ?? "gpt-5-mini",
        messages: [{ role: "user", content: context.req.query("question") ?? "What is a lease?" }],
        stream: true
      },
      { signal: abort.signal }
    )
    for await (const chunk of answer) await out.write(chunk.choices[0]?.delta.content ?? "")
  })
)

// Hono needs no server to be asked. Serve it with @hono/node-server: `serve(app)`.
const question = encodeURIComponent(process.argv[2] ?? "What is a lease?")
console.log(await (await app.request(`/ask?question=${question}`)).text())
