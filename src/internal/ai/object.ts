/** The text of a structured object, as its schema takes it. */
import type * as LanguageModel from "@effect/ai/LanguageModel"
import * as Schemas from "./schemas.ts"
import { absent } from "./strict.ts"

/** What is no JSON stays as it is: the schema will say so. */
export const object = (format: LanguageModel.ProviderOptions["responseFormat"], text: string): string => {
  if (format.type === "text") return text
  try {
    return JSON.stringify(absent(Schemas.of(format.schema.ast).schema, JSON.parse(text)))
  } catch {
    return text
  }
}
