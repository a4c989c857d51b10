/** An embedding model over `/embeddings`. Texts of agents that ask at the same time go out in one request. */
import * as AiError from "@effect/ai/AiError"
import * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import type { ClientConfig } from "../../ClientConfig.ts"
import type { OptionsError } from "../../ClientError.ts"
import type * as ClientMap from "../../ClientMap.ts"
import { type Dialect, place } from "./dialect.ts"
import * as Errors from "./errors.ts"
import * as Send from "./send.ts"

/** How texts are embedded. */
export interface Settings {
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

const MOST = 2_048

interface Said {
  readonly data: ReadonlyArray<{ readonly index?: number; readonly embedding?: unknown }>
}

const isSaid = (u: unknown): u is Said => typeof u === "object" && u !== null && "data" in u && Array.isArray(u.data)

const isVector = (u: unknown): u is Array<number> => Array.isArray(u) && u.every((one) => typeof one === "number")

/** A vector for each text, in whatever order. */
const results = (
  origin: Errors.Origin,
  said: unknown,
  count: number
): Effect.Effect<Array<EmbeddingModel.Result>, AiError.MalformedOutput> => {
  const malformed = (description: string) => new AiError.MalformedOutput({ ...origin, description })
  if (!isSaid(said)) return malformed("the answer has no embeddings in it")
  const all: Array<EmbeddingModel.Result> = []
  const seen = new Set<number>()
  for (const [i, { embedding, index = i }] of said.data.entries()) {
    if (!isVector(embedding)) return malformed("an embedding is no list of numbers")
    if (index < count) seen.add(index)
    all.push({ index, embeddings: embedding })
  }
  // A text without a vector would be waited for in vain.
  return seen.size === count && all.length === count
    ? Effect.succeed(all)
    : malformed(`${count} texts were sent, and ${all.length} embeddings came back`)
}

export const make = <P extends string, Extra extends string>(
  dialect: Dialect<P, Extra>,
  map: ClientMap.Service,
  config: Effect.Effect<ClientConfig<P>, OptionsError>,
  model: string,
  { body, dimensions, maxBatchSize = MOST, window = 5 }: Settings
): Effect.Effect<EmbeddingModel.Service, never, Scope.Scope> => {
  const { module, provider } = dialect
  const origin = { module, method: "embedMany" }
  return Effect.flatMap(Effect.either(config), (known) => {
    const embedMany: (input: ReadonlyArray<string>) => Effect.Effect<Array<EmbeddingModel.Result>, AiError.AiError> =
      Either.match(known, {
        onLeft: (error) => () => Errors.from(origin, "", error),
        onRight: (config) => {
          const to = place(dialect, config, model, "embeddings")
          return (input) =>
            Send.json(
              { map, provider, config },
              { ...to, body: { model, input, encoding_format: "float", dimensions, ...body } }
            ).pipe(
              Effect.mapError((error) => Errors.from(origin, to.url, error)),
              Effect.flatMap((said) => results(origin, said, input.length))
            )
        }
      })
    return EmbeddingModel.makeDataLoader({ embedMany, window, maxBatchSize })
  })
}
