/** The text of a structured object, as its schema takes it. */
import type * as LanguageModel from "@effect/ai/LanguageModel"
import * as Schemas from "./schemas.ts"
import { absent } from "./strict.ts"

/** Invalid JSON is returned as it is: the schema rejects it. */
export const object = (format: LanguageModel.ProviderOptions["responseFormat"], text: string): string => {
  if (format.type === "text") return text
  try {
    const { isWrapped, schema } = Schemas.format(format.schema.ast)
    const said: unknown = absent(schema, JSON.parse(text))
    // In non-strict mode a model may leave the wrapper out.
    const isInside = isWrapped && typeof said === "object" && said !== null && "value" in said
    return JSON.stringify(isInside ? said.value : said)
  } catch {
    return text
  }
}
