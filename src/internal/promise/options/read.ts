/**
 * From a constructor's options and the process's environment to the config that they mean, and what is the SDK's alone.
 * Synchronous. What an SDK would read from the environment by itself is read here, so that it is in the key.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { Options, Spec } from "../../../ClientConfig.ts"
import { OptionsError } from "../../../ClientError.ts"
import { type At, describe, invalid, within } from "../../options/validate.ts"
import { isClientConfig } from "../../config/value.ts"
import { make } from "../../config/make.ts"
import { object, owned, record } from "../../options/knownKeys.ts"
import { isCredential } from "../../credential/model.ts"
import * as Environment from "./environment.ts"
import { splitHeaders } from "./headers.ts"
import { translate } from "./messages.ts"
import { type Bypass, make as makeReading, part, type Reading } from "./reading.ts"
import { INIT, type Row, type Table } from "./table.ts"

/** Spec, options and special cases of one SDK. */
export interface SdkOptionsSpec<P extends string, X extends string> {
  readonly spec: Spec<P, X>
  readonly table: Table
  /** Settles options that need more than a row: the key, and the base URL. */
  readonly settle: (draft: Draft) => void
}

/** Options on their way. */
export interface Draft {
  readonly at: (field: string) => At
  /** As given; `undefined` is absent, and so is `null` where it has no meaning of its own. */
  readonly given: Readonly<Record<string, unknown>>
  /** For the config, under the names that it has for them. */
  readonly options: Record<string, unknown>
  /** For the SDK. */
  readonly sdk: Record<string, unknown>
}

/** Throws an OptionsError. */
export const read = <P extends string, X extends string>(
  sdkSpec: SdkOptionsSpec<P, X>,
  input: unknown
): Reading<P> | Bypass => {
  const at = (field: string): At => ({ provider: sdkSpec.spec.id, field })
  try {
    return understood(sdkSpec, at, input)
  } catch (error) {
    if (error instanceof OptionsError) throw error
    // The thrown error may contain a secret.
    throw invalid(at("options"), "a value that throws when it is read", "plain values")
  }
}

const understood = <P extends string, X extends string>(
  sdkSpec: SdkOptionsSpec<P, X>,
  at: Draft["at"],
  input: unknown
): Reading<P> | Bypass => {
  const given = input === undefined ? {} : present(sdkSpec.table, at("options"), input)
  const bypass = unpooled(sdkSpec.table, at, given)
  if (bypass !== undefined) return bypass
  const draft: Draft = { at, given, options: {}, sdk: {} }
  for (const name of Object.keys(given)) place(sdkSpec.table, draft, name)
  environment(sdkSpec.table, draft)
  sdkSpec.settle(draft)
  const { nulls, set } = splitHeaders(draft.options["headers"])
  if (nulls.length > 0) {
    draft.options["headers"] = set
    draft.sdk["defaultHeaders"] = part(Object.fromEntries(nulls.map((name) => [name, null])))
  }
  const config = finish(sdkSpec, draft.options as Options<X>, nulls)
  const address = written(sdkSpec.spec, given)
  if (address !== undefined && address !== config.baseURL) draft.sdk["baseURL"] = address
  for (const name of Object.keys(config.extra)) {
    // `null` where the SDK would otherwise read the environment once more.
    draft.sdk[name] = config.extra[name] ?? (sdkSpec.table[name]?.null === true ? null : undefined)
  }
  return makeReading(config, draft.sdk)
}

/** The options with a value. Each is read once. */
const present = (table: Table, at: At, input: unknown): Readonly<Record<string, unknown>> => {
  if (isClientConfig(input)) throw invalid(at, "a ClientConfig", "an object of options")
  if (isCredential(input)) throw invalid(at, "a Credential", "an object of options: { apiKey: credential }")
  const given: Record<string, unknown> = {}
  if (typeof input === "object" && input !== null) owned(at, input, new Set(Object.keys(table)))
  for (const [name, value] of entries(at, input)) {
    const row = rowOf(table, name)
    if (value === undefined || (value === null && row !== undefined && row.null !== true)) continue
    if (row?.fate === "refused") throw refusal({ ...at, field: name }, row)
    given[name] = value
  }
  checkNames(table, at, given)
  return given
}

/** Not what an object has from birth, like `constructor`. */
const rowOf = (table: Table, name: string): Row | undefined => (Object.hasOwn(table, name) ? table[name] : undefined)

const checkNames = (table: Table, at: At, given: Readonly<Record<string, unknown>>): void => {
  const names = Object.keys(table).filter((name) => !name.includes(".") && table[name]?.fate !== "refused")
  for (const name of names) {
    // Users of the Effect modules may use their names.
    const { as } = table[name]!
    if (as !== undefined && as in given) throw invalid({ ...at, field: as }, "unknown", `the SDK's own name, ${name}`)
  }
  record(at, given, new Set(names))
}

const entries = (at: At, input: unknown): ReadonlyArray<readonly [string, unknown]> =>
  Object.entries(object(at, input, "an object of options"))

/** Detects options that set how requests are sent. Options of the pool beside them are refused. */
const unpooled = (table: Table, at: Draft["at"], given: Draft["given"]): Bypass | undefined => {
  const init = given["fetchOptions"]
  const inInit = typeof init === "object" && init !== null ? init : {}
  const names = [
    ...Object.keys(given),
    ...Object.entries(inInit).flatMap(([name, value]) => (value === undefined || value === null ? [] : [INIT + name]))
  ]
  const first = names.find((name) => rowOf(table, name)?.fate === "unpooled")
  if (first === undefined) return undefined
  for (const name of names) {
    if (rowOf(table, name)?.ours === true) {
      throw invalid(at(name), `given beside ${first}`, `one of the two: ${first} bypasses the pool`)
    }
  }
  return { bypass: `option ${first}: ${table[first]!.note}` }
}

const place = (table: Table, draft: Draft, name: string): void => {
  const row = table[name]!
  const value = draft.given[name]
  if (row.fate === "pool") draft.options[row.as ?? name] = value
  if (row.fate !== "sdk") return
  if (name === "fetchOptions") return init(table, draft, value)
  draft.sdk[name] = checked(draft.at(name), row, value)
}

const refusal = (at: At, row: Row) => invalid(at, "given", `no value: ${row.note}`)

const checked = (at: At, row: Row, value: unknown): unknown => {
  if (value === null || row.type === undefined || typeof value === row.type) return value
  throw invalid(at, describe(value), row.type === "object" ? "an object" : `a ${row.type}`)
}

const redirects: ReadonlyArray<unknown> = ["follow", "manual", "error"]

const init = (table: Table, draft: Draft, value: unknown): void => {
  const at = draft.at("fetchOptions")
  const given: Record<string, unknown> = {}
  for (const [name, field] of entries(at, value)) if (field !== undefined && field !== null) given[name] = field
  record(
    at,
    given,
    new Set(Object.keys(table).flatMap((name) => (name.startsWith(INIT) ? name.slice(INIT.length) : [])))
  )
  for (const name of Object.keys(given)) {
    const row = table[INIT + name]!
    if (row.fate === "refused") throw refusal(within(at, name), row)
  }
  const { redirect } = given
  if (redirect === undefined) return
  if (!redirects.includes(redirect)) {
    throw invalid(within(at, "redirect"), describe(redirect), '"follow", "manual" or "error"')
  }
  // To follow is what happens anyway.
  if (redirect !== "follow") draft.sdk["fetchOptions"] = part({ redirect })
}

/** Options that set the destination of requests, other than `baseURL`. */
const places = ["endpoint", "dataResidency"]

/** The base URL as the caller or the environment spells it, which is how SDKs' clients show it. */
const written = ({ env }: Spec, given: Draft["given"]): string | undefined => {
  const { baseURL } = given
  if (baseURL !== undefined) return typeof baseURL === "string" && baseURL !== "" ? baseURL : undefined
  if (env?.baseURL === undefined || places.some((name) => given[name] !== undefined)) return undefined
  return Environment.variable(env.baseURL)
}

/** Reads the environment variables that the SDK would read itself. The config's own are read with the config. */
const environment = (table: Table, { given, sdk }: Draft): void => {
  for (const name of Object.keys(table)) {
    const row = table[name]!
    if (row.fate !== "sdk" || row.env === undefined || given[name] !== undefined) continue
    const value = Environment.variable(row.env) ?? (row.null === true ? null : undefined)
    if (value !== undefined) sdk[name] = value
  }
}

const finish = <P extends string, X extends string>(
  sdkSpec: SdkOptionsSpec<P, X>,
  options: Options<X>,
  without: ReadonlyArray<string>
) => {
  const { spec } = sdkSpec
  if (typeof options.transport?.key === "string") {
    options = { ...options, transport: { ...options.transport, key: Redacted.make(options.transport.key) } }
  }
  const config = Effect.either(Environment.without(make(spec, options), spec.env?.headers, without))
  let result
  try {
    result = Effect.runSync(config)
  } catch {
    throw invalid(
      { provider: spec.id, field: "apiKey" },
      "a Credential whose version effect is asynchronous",
      "a version that is a value, or a synchronous effect"
    )
  }
  if (Either.isRight(result)) return result.right
  throw result.left instanceof OptionsError ? translate(sdkSpec.table, result.left) : result.left
}
