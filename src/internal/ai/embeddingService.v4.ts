/** The service of an embedding model, over one way to ask for vectors. */
import * as EmbeddingModel from "effect/ai/EmbeddingModel"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as RequestResolver from "effect/RequestResolver"
import { type Ask, spanned, type Vector } from "./embeddingCall.ts"

const responseOf = (vector: Vector): EmbeddingModel.EmbedResponse =>
  new EmbeddingModel.EmbedResponse({ vector }, { disableChecks: true })

/** A request may serve several callers, so its tokens are in its metrics and span, and none of one caller's. */
const unknownUsage = new EmbeddingModel.EmbeddingUsage({ inputTokens: undefined })

export const serviceOf = (ask: Ask): EmbeddingModel.EmbeddingModel =>
  EmbeddingModel.EmbeddingModel.of({
    [EmbeddingModel.TypeId]: EmbeddingModel.TypeId,
    embed: (text) =>
      spanned("EmbeddingModel.embed", (by) => Effect.map(ask([text], by), ([vector]) => responseOf(vector!))),
    embedMany: (texts) =>
      spanned("EmbeddingModel.embedMany", (by) =>
        Effect.map(
          ask(texts, by),
          (vectors) =>
            new EmbeddingModel.EmbedManyResponse(
              { embeddings: vectors.map(responseOf), usage: unknownUsage },
              { disableChecks: true }
            )
        )
      ),
    resolver: RequestResolver.make<EmbeddingModel.EmbeddingRequest>((entries) =>
      spanned("EmbeddingModel.resolver", (by) =>
        Effect.map(
          ask(
            entries.map(({ request }) => request.input),
            by
          ),
          (vectors) => {
            for (const [i, entry] of entries.entries()) entry.completeUnsafe(Exit.succeed(responseOf(vectors[i]!)))
          }
        )
      )
    )
  })
