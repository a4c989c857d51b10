/**
 * A panel of three providers that vote on each row. One that is down costs its vote, not the row.
 *
 *     OPENAI_API_KEY=... GROQ_API_KEY=... CEREBRAS_API_KEY=... ROWS=100 node examples/panel.ts
 */
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Agent from "clientele/Agent"
import * as CerebrasModel from "clientele/CerebrasModel"
import * as ClientLayer from "clientele/ClientLayer"
import * as GroqModel from "clientele/GroqModel"
import * as OpenAiModel from "clientele/OpenAiModel"
import * as Effect from "effect/Effect"

/** Without retries, a provider that is down delays nobody's vote. */
const options = { maxTokens: 500, client: { maxRetries: 0 } }

/** The same agent thrice; only its layer differs. */
const panel = [
  OpenAiModel.model("gpt-5-mini", options),
  GroqModel.model("llama-3.3-70b-versatile", options),
  CerebrasModel.model("gpt-oss-120b", options)
].map((model) =>
  Agent.make({
    name: `juror of ${model.provider}`,
    run: (row: string) =>
      LanguageModel.generateText({ prompt: `Kind or unkind? One word.\n\n${row}` }).pipe(
        Effect.map(({ text }) => (/unkind/i.test(text) ? "unkind" : "kind")),
        Effect.provide(model)
      )
  })
)

const vote = (row: string) =>
  Effect.map(
    Effect.forEach(panel, (juror) => Effect.option(juror(row)), { concurrency: "unbounded" }),
    (votes) => {
      const cast = votes.flatMap((vote) => (vote._tag === "Some" ? [vote.value] : []))
      const unkind = cast.filter((word) => word === "unkind").length
      return { verdict: 2 * unkind > cast.length ? "unkind" : "kind", votes: cast.length }
    }
  )

const rows = Array.from({ length: Number(process.env["ROWS"] ?? 10) }, (_, i) => `Review ${i}: a fine film.`)

const main = Effect.gen(function* () {
  const results = yield* Effect.forEach(rows, vote, { concurrency: "unbounded" })
  const decided = results.filter(({ votes }) => votes > 0).length
  const votes = results.reduce((sum, result) => sum + result.votes, 0)
  console.log(`${decided} of ${rows.length} rows decided, by ${votes} of ${rows.length * panel.length} votes`)
})

await Effect.runPromise(main.pipe(Effect.provide(ClientLayer.layer())))
