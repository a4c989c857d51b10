/** A batch over a sandbox, as its parent asks for it in JSON. Prints "begun" with its first row, and its end as JSON. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Batch from "../../../src/Batch.ts"
import * as ClientLayer from "../../../src/ClientLayer.ts"

export interface BatchWork {
  readonly baseURL: string
  readonly journal: string
  readonly rows: number
  readonly concurrency: number
  /** A row that can't be read. */
  readonly bad: number
  /** A row that the model answers with text where JSON is asked for. */
  readonly garbled: number
}

export interface BatchEnd {
  readonly results: number
  readonly restored: number
  readonly failures: Readonly<Record<string, number>>
  readonly error: string | null
}

const { bad, baseURL, concurrency, garbled, journal, rows: count } = JSON.parse(process.argv[2]!) as BatchWork

const main = Effect.gen(function* () {
  const client = { baseURL, apiKey: Redacted.make("sk-test") }
  const common = { model: "openai:gpt-5-mini", client } as const
  const plain = yield* Batch.prompt({ ...common, prompt: "Sum up {{title}}." })
  const schema = { type: "object", properties: { year: { type: "integer" } }, required: ["year"] }
  const asked = yield* Batch.prompt({ ...common, prompt: "When was {{title}}?", schema, format: "text" })
  let isFirst = true
  const agent = (row: { readonly title: string; readonly number: number }, call: Batch.Call) => {
    if (isFirst) process.stdout.write("begun\n")
    isFirst = false
    return row.number === garbled ? asked(row, call) : Effect.asVoid(plain(row, call))
  }
  const rows = Array.from({ length: count }, (_, number) =>
    number === bad ? new Batch.BadRow({ message: "a quote is open", raw: '1,"' }) : { title: `film ${number}`, number }
  )
  const failures: Record<string, number> = {}
  let [results, restored] = [0, 0]
  let error: string | null = null
  const run = Batch.run({ rows, agent, concurrency, version: 1, journal: Batch.journal(journal) })
  yield* Stream.runForEach(run, (result) =>
    Effect.sync(() => {
      results++
      if (result.restored) restored++
      if (result.status === "failed") failures[result.reason.tag] = (failures[result.reason.tag] ?? 0) + 1
    })
  ).pipe(Effect.catchAll((failure) => Effect.sync(() => (error = failure.message))))
  const end: BatchEnd = { results, restored, failures, error }
  process.stdout.write(`${JSON.stringify(end)}\n`)
})

await Effect.runPromise(Effect.provide(main, ClientLayer.layer()))
