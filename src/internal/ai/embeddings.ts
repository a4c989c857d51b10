/** An embedding model over `/embeddings`. Texts of agents that ask at the same time go out in one request. */
import type * as AiError from "@effect/ai/AiError"
import type * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import type { ClientConfig } from "../../ClientConfig.ts"
import type { OptionsError } from "../../ClientError.ts"
import type * as ClientMap from "../../ClientMap.ts"
import { type Dialect, pathOf } from "./dialect.ts"
import type { Vector } from "./embeddingCall.ts"
import { serviceOf } from "./embeddingService.ts"
import * as Errors from "./errors.ts"
import * as Gather from "./gather.ts"
import * as Observe from "./observeEmbeddings.ts"
import type { Asker } from "./observeEmbeddings.ts"
import * as Send from "./send.ts"

/** Settings of an embedding model. */
export interface EmbeddingSettings {
  /** Length of the vectors, of models that can shorten them. @default the model's */
  readonly dimensions?: number | undefined
  /**
   * For so long texts are gathered that go out together, from the first on.
   *
   * @default 5 milliseconds
   */
  readonly window?: Duration.DurationInput | undefined
  /** Texts of one request at most. @default 2048, the most that OpenAI takes ("Create embeddings", `input`) */
  readonly maxBatchSize?: number | undefined
  /** Fields of the request in the provider's own words. They go over all others. @default none */
  readonly body?: Readonly<Record<string, unknown>> | undefined
}

const MAX_TEXTS_PER_REQUEST = 2_048

interface Said {
  readonly data: ReadonlyArray<{ readonly index?: number; readonly embedding?: unknown }>
}

const isSaid = (u: unknown): u is Said => typeof u === "object" && u !== null && "data" in u && Array.isArray(u.data)

const isVector = (u: unknown): u is Vector => Array.isArray(u) && u.every((one) => typeof one === "number")

/** A vector for each text, whatever their order was. */
const vectors = (
  origin: Errors.Origin,
  said: unknown,
  count: number
): Effect.Effect<ReadonlyArray<Vector>, AiError.AiError> => {
  const malformed = (description: string) => Effect.fail(Errors.invalidResponse(origin, description))
  if (!isSaid(said)) return malformed("the response has no embeddings")
  const all = new Map<number, Vector>()
  for (const [i, { embedding, index = i }] of said.data.entries()) {
    if (!isVector(embedding)) return malformed("an embedding is not a list of numbers")
    all.set(index, embedding)
  }
  const vectors = Array.from({ length: count }, (_, i) => all.get(i))
  return all.size === count && said.data.length === count && vectors.every(isVector)
    ? Effect.succeed(vectors)
    : malformed(`sent ${count} texts, received ${said.data.length} embeddings`)
}

export const make = <P extends string, Extra extends string>(
  dialect: Dialect<P, Extra>,
  map: ClientMap.Service,
  known: Either.Either<ClientConfig<P>, OptionsError>,
  model: string,
  settings: EmbeddingSettings
): Effect.Effect<EmbeddingModel.Service, never, Scope.Scope> => {
  const { api, module } = dialect
  const { provider } = api
  const origin = { module, method: "embedMany" }
  if (Either.isLeft(known)) return Effect.succeed(serviceOf(() => Effect.fail(Errors.from(origin, "", known.left))))
  const { body, dimensions, maxBatchSize = MAX_TEXTS_PER_REQUEST, window = 5 } = settings
  const config = known.right
  const sender = Send.make({ map, api, config, path: pathOf(api, "embeddings") })
  const observed = Observe.make({ provider: provider.id, model, baseURL: config.baseURL })
  const send = (
    input: ReadonlyArray<string>,
    by: ReadonlyArray<Asker>
  ): Effect.Effect<ReadonlyArray<Vector>, AiError.AiError> =>
    Effect.flatMap(
      observed(by, (span) =>
        Effect.mapError(
          sender.json(() => ({ body: { model, input, encoding_format: "float", dimensions, ...body }, span })),
          (error) => Errors.from(origin, sender.url({ model }), error)
        )
      ),
      (said) => vectors(origin, said, input.length)
    )
  const closed = Effect.fail(Errors.unknown(origin, "the model's layer is closed"))
  return Effect.map(Gather.make({ send, closed, window: Duration.toMillis(window), most: maxBatchSize }), serviceOf)
}
