/**
 * An agent for each row, all at once: a hundred rows or a hundred thousand, over a handful of connections.
 *
 *     OPENAI_API_KEY=... ROWS=1000 node examples/rows.ts
 */
import * as Agent from "clientele/Agent"
import * as ClientLayer from "clientele/ClientLayer"
import * as ClientMap from "clientele/ClientMap"
import * as OpenAiClient from "clientele/OpenAiClient"
import * as Effect from "effect/Effect"

const judge = Agent.make({
  name: "judge",
  run: (row: string) =>
    OpenAiClient.use({ quota: { maxConcurrency: 100 } }, async (openai) => {
      const answer = await openai.chat.completions.create({
        model: process.env["MODEL"] ?? "gpt-5-mini",
        messages: [{ role: "user", content: `Is this review kind? Answer yes or no.\n\n${row}` }]
      })
      return answer.choices[0]?.message.content ?? ""
    })
})

const rows = Array.from({ length: Number(process.env["ROWS"] ?? 100) }, (_, i) => `Review ${i}: a fine film.`)

const main = Effect.gen(function* () {
  // Each row comes to its own end: one that fails takes nobody with it.
  const results = yield* Effect.forEach(rows, (row) => Effect.either(judge(row)), { concurrency: "unbounded" })
  const answered = results.filter(({ _tag }) => _tag === "Right").length
  const { clients, sockets } = yield* ClientMap.stats
  console.log(`${answered} of ${rows.length} rows answered, ${clients.length} client, ${sockets} sockets`)
})

await Effect.runPromise(main.pipe(Effect.provide(ClientLayer.layer())))
