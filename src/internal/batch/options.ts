/** Options of a run, validated, with their defaults. */
import * as Effect from "effect/Effect"
import { describe } from "../options/validate.ts"
import { BatchError } from "./errors.ts"
import type { Concurrency, Order, BatchProgress, RunOptions } from "./model.ts"
import type { AgentIdentity } from "./result.ts"
import { internalsOf, type PromptInternals } from "./prompt/internals.ts"
import { type TemplateRow, valueOf } from "./prompt/template.ts"
import { type Price, priceOf } from "./cost/prices.ts"

export const DEFAULT_HOLD_BACK = 1_000
const PROGRESS_INTERVAL_MS = 250
const PROBE_INTERVAL_MS = 30_000

/** Options of any run: rows are what its agent takes. */
// oxlint-disable-next-line typescript/no-explicit-any -- an agent's row is contravariant
export type AnyOptions = RunOptions<any, unknown, unknown, unknown, unknown, unknown>

export interface BatchSettings {
  readonly identity: AgentIdentity
  readonly prompt: PromptInternals | undefined
  readonly keyOf: ((row: unknown) => string | undefined) | undefined
  readonly keyName: string | undefined
  readonly concurrency: Concurrency
  readonly order: Order
  readonly holdBack: number | undefined
  readonly repeat: number
  readonly replay: boolean
  /** True for failures that are done again. */
  readonly retries: (tag: string) => boolean
  readonly maxFailures: number
  readonly maxShare: number
  readonly pauses: boolean
  readonly probeInterval: number
  readonly maxCost: number | undefined
  /** The price of the prompt's model, or of the one that an answer names. */
  readonly priceOf: (model: string | undefined) => Price | undefined
  readonly total: number | undefined
  readonly onProgress: ((progress: BatchProgress) => void) | undefined
  readonly progressInterval: number
}

const refuse = (field: string, received: unknown, expected: string): BatchError =>
  new BatchError({ reason: "Options", detail: `option ${field} is ${describe(received)}; expected ${expected}` })

/** Throws a BatchError. */
const integer = (field: string, value: unknown, least: number): number => {
  if (Number.isSafeInteger(value) && (value as number) >= least) return value as number
  throw refuse(field, value, `an integer of at least ${least}`)
}

const within = (field: string, value: unknown, most: number): number => {
  if (typeof value === "number" && value > 0 && value <= most) return value
  throw refuse(field, value, most === Infinity ? "a number above 0" : `a number above 0 and at most ${most}`)
}

const oneOf = <A extends string>(field: string, value: unknown, all: ReadonlyArray<A>): A => {
  if (all.includes(value as A)) return value as A
  throw refuse(field, value, all.map((one) => `"${one}"`).join(" or "))
}

const optional = <A>(value: unknown, f: (value: unknown) => A): A | undefined =>
  value === undefined ? undefined : f(value)

const text = (value: unknown): string | undefined =>
  (typeof value === "string" && value !== "") || typeof value === "number" ? String(value) : undefined

/** A column's value, or that of a path into one, as a prompt reads it. */
const keyIn = (row: unknown, key: string): unknown => {
  if (typeof row !== "object" || row === null) return undefined
  return (row as TemplateRow)[key] ?? valueOf(row as TemplateRow, key)?.value
}

const keyOf = (key: AnyOptions["key"]): Pick<BatchSettings, "keyOf" | "keyName"> => {
  if (key === undefined) return { keyOf: undefined, keyName: undefined }
  if (typeof key === "function") return { keyOf: (row) => text(key(row)), keyName: "a function" }
  if (typeof key !== "string" || key === "") throw refuse("key", key, "a column's name or a function")
  return {
    keyOf: (row) => text(keyIn(row, key)),
    keyName: key
  }
}

const identityOf = ({ agent, key, version }: AnyOptions): AgentIdentity => {
  const { agentName, identity } = agent as { readonly agentName?: string; readonly identity?: AgentIdentity }
  return {
    // Names of functions change with minifiers.
    ...(identity ?? { agent: agentName ?? "a function" }),
    ...(version === undefined ? {} : { version }),
    ...(key === undefined ? {} : { key: typeof key === "string" ? key : "a function" })
  }
}

const retriesOf = (retryFailed: AnyOptions["retryFailed"]): BatchSettings["retries"] => {
  if (retryFailed === undefined || typeof retryFailed === "boolean") return () => retryFailed === true
  if (!Array.isArray(retryFailed)) throw refuse("retryFailed", retryFailed, "true, false or an array of tags")
  const tags = new Set<string>(retryFailed)
  return (tag) => tags.has(tag)
}

const pricing = ({ agent, prices }: AnyOptions): BatchSettings["priceOf"] => {
  const prompt = internalsOf(agent)
  if (prompt !== undefined) {
    const price = prompt.price(prices)
    return () => price
  }
  const known = new Map<string, Price | undefined>()
  return (model) => {
    if (model === undefined) return undefined
    if (!known.has(model)) known.set(model, priceOf(model, prices))
    return known.get(model)
  }
}

/** Throws a BatchError. */
const fail = (why: string): never => {
  throw new BatchError({ reason: "Options", detail: `maxCost can't be kept: ${why}` })
}

const maxCostOf = ({ agent, maxCost }: AnyOptions, price: BatchSettings["priceOf"]): number | undefined => {
  if (maxCost === undefined) return undefined
  within("maxCost", maxCost, Infinity)
  const { identity, maxOutputTokens, model } = agent as {
    readonly identity?: AgentIdentity
    readonly maxOutputTokens?: number
    readonly model?: string
  }
  if (internalsOf(agent) === undefined) fail("the agent is not of Batch.prompt, so the cost of a row has no bound")
  // Other servers than the provider's own have prices of their own.
  const place = identity?.["baseURL"] === undefined ? "" : ` at ${String(identity["baseURL"])}`
  if (price(undefined) === undefined) fail(`the price of ${model}${place} is unknown; give it in prices`)
  if (maxOutputTokens === undefined) fail("an answer has no bound; set params.max_completion_tokens")
  return maxCost
}

/** Answers of agents without a name are nobody's. */
const checkCache = ({ agent, cache, version }: AnyOptions): void => {
  const { agentName, identity } = agent as { readonly agentName?: string; readonly identity?: unknown }
  if (cache === undefined || agentName !== undefined || identity !== undefined || version !== undefined) return
  throw refuse(
    "version",
    version,
    "one, or a named Agent: the cache could not tell this agent's answers from another's"
  )
}

const settings = (options: AnyOptions): BatchSettings => {
  if (typeof options.agent !== "function") throw refuse("agent", options.agent, "a function of a row")
  checkCache(options)
  const { concurrency = "auto", onProgress, stopAfter } = options
  const price = pricing(options)
  if (onProgress !== undefined && typeof onProgress !== "function") throw refuse("onProgress", onProgress, "a function")
  return {
    identity: identityOf(options),
    prompt: internalsOf(options.agent),
    ...keyOf(options.key),
    concurrency: concurrency === "auto" ? concurrency : integer("concurrency", concurrency, 1),
    order: oneOf("order", options.order ?? "completion", ["completion", "input"]),
    holdBack: optional(options.holdBack, (value) => integer("holdBack", value, 1)),
    repeat: integer("repeat", options.repeat ?? 1, 1),
    replay: options.replay ?? true,
    retries: retriesOf(options.retryFailed),
    maxFailures: optional(stopAfter?.failures, (value) => integer("stopAfter.failures", value, 1)) ?? Infinity,
    maxShare: optional(stopAfter?.share, (value) => within("stopAfter.share", value, 1)) ?? Infinity,
    pauses: oneOf("whenRefused", options.whenRefused ?? "stop", ["stop", "pause"]) === "pause",
    probeInterval: integer("probeInterval", options.probeInterval ?? PROBE_INTERVAL_MS, 1),
    maxCost: maxCostOf(options, price),
    priceOf: price,
    total: optional(options.total, (value) => integer("total", value, 0)),
    onProgress,
    progressInterval: integer("progressInterval", options.progressInterval ?? PROGRESS_INTERVAL_MS, 1)
  }
}

export const read = (options: AnyOptions): Effect.Effect<BatchSettings, BatchError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(settings(options))
    } catch (error) {
      if (error instanceof BatchError) return error
      const detail = `the options throw when they are read: ${String(error)}`
      return new BatchError({ reason: "Options", detail, cause: error })
    }
  })
