/** Settings of a model's answers, under names that all providers share. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"

/**
 * Settings of a model's answers. The provider decides on absent ones.
 *
 * @since 0.1.0
 * @category models
 */
export interface Settings {
  /** @default the provider's, mostly 1 */
  readonly temperature?: number | undefined
  /** @default the provider's, mostly 1 */
  readonly topP?: number | undefined
  /** Tokens of the answer, reasoning included. @default the provider's bound */
  readonly maxTokens?: number | undefined
  /** The same seed makes the same answer likelier. @default none */
  readonly seed?: number | undefined
  /** Texts at which the answer ends. @default none */
  readonly stop?: ReadonlyArray<string> | undefined
  readonly frequencyPenalty?: number | undefined
  readonly presencePenalty?: number | undefined
  /** For models that reason; each has its own words. @default the model's */
  readonly reasoningEffort?: string | undefined
  /** True if the model may call several tools at once. @default the provider's, mostly true */
  readonly parallelToolCalls?: boolean | undefined
  /**
   * True if the provider holds structured output and tools to their schemas. Schemas that this mode can't express, such
   * as records, are sent as they are.
   *
   * @default true for OpenAI, Azure and Cerebras, false for Groq, where only some models know it
   */
  readonly strict?: boolean | undefined
  /** Fields of the request in the provider's own words. They go over all others. @default none */
  readonly body?: Readonly<Record<string, unknown>> | undefined
}

/** No settings: the same object each time. */
export const none: Settings = {}

/** Settings of a call, which override those of its model. */
export class Override extends Context.Reference<Override>()("clientele/internal/ai/Override", {
  defaultValue: (): Settings => none
}) {}

/**
 * Calls of any model within `self` with these settings over the model's own, `body` field by field.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withSettings: {
  (settings: Settings): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, settings: Settings): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, settings: Settings): Effect.Effect<A, E, R> =>
  Effect.flatMap(Override, (outer) => Effect.provideService(self, Override, merge(outer, settings)))
)

export const merge = (below: Settings, above: Settings): Settings => {
  if (above === none) return below
  const all: Record<string, unknown> = { ...below }
  for (const [name, value] of Object.entries(above)) if (value !== undefined) all[name] = value
  if (below.body !== undefined && above.body !== undefined) all["body"] = { ...below.body, ...above.body }
  return all
}
