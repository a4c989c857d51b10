/** The service of an embedding model, over one way to ask for vectors. */
import * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import * as Effect from "effect/Effect"
import { type Ask, spanned } from "./embeddingCall.ts"

export const serviceOf = (ask: Ask): EmbeddingModel.Service =>
  EmbeddingModel.EmbeddingModel.of({
    embed: (text) => spanned("EmbeddingModel.embed", (by) => Effect.map(ask([text], by), ([vector]) => vector!)),
    embedMany: (texts) => spanned("EmbeddingModel.embedMany", (by) => ask(texts, by))
  })
