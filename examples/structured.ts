/**
 * An answer that has the shape of a schema.
 *
 *     CEREBRAS_API_KEY=... node examples/structured.ts
 */
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as CerebrasModel from "clientele/CerebrasModel"
import * as ClientLayer from "clientele/ClientLayer"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

class Invoice extends Schema.Class<Invoice>("Invoice")({
  seller: Schema.String,
  total: Schema.Number,
  /** The provider's strict mode wants every field; what may be absent it says as null, and is absent here. */
  dueDate: Schema.optional(Schema.String),
  lines: Schema.Array(Schema.Struct({ what: Schema.String, price: Schema.Number }))
}) {}

const text = "Invoice from ACME: two anvils at 40 each, to be paid by the end of March."

const main = Effect.gen(function* () {
  const { usage, value } = yield* LanguageModel.generateObject({
    prompt: `Read this invoice.\n\n${text}`,
    schema: Invoice
  })
  console.log(value instanceof Invoice, value)
  console.log(`${usage.totalTokens ?? 0} tokens`)
})

await main.pipe(
  Effect.provide(CerebrasModel.model(process.env["MODEL"] ?? "gpt-oss-120b", { temperature: 0 })),
  Effect.provide(ClientLayer.layer()),
  Effect.runPromise
)
