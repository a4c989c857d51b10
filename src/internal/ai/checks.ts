/** Validates the options of a model. Types don't bind callers who write JavaScript, or read options from a file. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { OptionsError } from "../../ClientError.ts"
import { type At, describe, integer, invalid, millis, number } from "../options/validate.ts"
import { object, record } from "../options/knownKeys.ts"
import type * as Embeddings from "./embeddings.ts"
import { effectOf } from "./parts.ts"
import type { Settings } from "./settings.ts"

type Check = (at: At, given: unknown) => unknown

const finite: Check = (at, given) => number(at, given, Number.isFinite, "a finite number")

const flag: Check = (at, given) => {
  if (typeof given !== "boolean") throw invalid(at, describe(given), "true or false")
}

const word: Check = (at, given) => {
  if (typeof given !== "string" || given === "") throw invalid(at, describe(given), "a non-empty string")
}

const words: Check = (at, given) => {
  if (Array.isArray(given) && given.every((one) => typeof one === "string")) return
  throw invalid(at, describe(given), "an array of strings")
}

const count: Check = (at, given) => integer(at, given, 1)

const json: Check = (at, given) => {
  const fields = object(at, given, "an object of fields of the request")
  try {
    JSON.stringify(fields)
  } catch {
    throw invalid(at, "a value that JSON can't represent", "an object that JSON can represent")
  }
}

const settings: { readonly [Name in keyof Required<Settings>]: Check } = {
  temperature: finite,
  topP: finite,
  maxTokens: count,
  seed: (at, given) => integer(at, given, Number.MIN_SAFE_INTEGER),
  stop: words,
  frequencyPenalty: finite,
  presencePenalty: finite,
  reasoningEffort: word,
  parallelToolCalls: flag,
  strict: flag,
  body: json
}

const embedding: { readonly [Name in keyof Required<Embeddings.EmbeddingSettings>]: Check } = {
  dimensions: count,
  window: (at, given) => {
    if (millis(at, given, 0) === Infinity) throw invalid(at, "Infinity", "a finite time to gather texts, like 5 (ms)")
  },
  maxBatchSize: count,
  body: json
}

/** Throws an `OptionsError` for what can't be used. */
const check = (
  provider: string,
  given: unknown,
  checks: Readonly<Record<string, Check>>,
  more: ReadonlyArray<string>
) => {
  const fields = record({ provider, field: "options" }, given, new Set([...Object.keys(checks), ...more]))
  for (const [field, one] of Object.entries(checks)) {
    if (fields[field] !== undefined) one({ provider, field }, fields[field])
  }
}

const failing = (run: () => void): Either.Either<void, OptionsError> =>
  Either.try({
    try: run,
    catch: (error) => {
      if (error instanceof OptionsError) return error
      throw error
    }
  })

/** Validates a model's name and options, except those of its client, which have their own checks. */
const ofModel =
  (checks: Readonly<Record<string, Check>>) =>
  (provider: string, model: unknown, options: unknown): Effect.Effect<void, OptionsError> =>
    Effect.suspend(() =>
      effectOf(
        failing(() => {
          word({ provider, field: "model" }, model)
          check(provider, options, checks, ["client"])
        })
      )
    )

export const language = ofModel(settings)

export const embeddings = ofModel(embedding)

/** Validates settings that override a model's own. */
export const override = (provider: string, given: unknown): Either.Either<void, OptionsError> =>
  failing(() => check(provider, given, settings, []))
