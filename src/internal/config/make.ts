/** From options, environment and defaults to the one config that they mean. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { ClientConfig, ExtraField, Options, Spec } from "../../ClientConfig.ts"
import { OptionsError } from "../../ClientError.ts"
import type { Credential } from "../../Credential.ts"
import { isCredential, settled } from "../credential/model.ts"
import { apiKey } from "./apiKey.ts"
import { type At, describe, integer, invalid, millis, text } from "../options/validate.ts"
import { type Environment, environment } from "./environment.ts"
import { environmentProxy, variables as proxyVariables } from "./environmentProxy.ts"
import { headerLines, headers, query } from "./headers.ts"
import { record } from "../options/knownKeys.ts"
import { type Plan, planOf } from "./plan.ts"
import { quota } from "./quota.ts"
import { secret } from "../options/secret.ts"
import { sorted, struct } from "../options/struct.ts"
import { transport } from "./transport.ts"
import { address } from "./url.ts"
import { config, isClientConfig } from "./value.ts"

/** The option `retryAmbiguous`. */
export type RetryAmbiguous = "generation" | "never" | "always"

type Given = Readonly<Record<string, unknown>>

export const make = <P extends string, Extra extends string = never>(
  spec: Spec<P, Extra>,
  options?: Options<Extra> | ClientConfig<P>
): Effect.Effect<ClientConfig<P>, OptionsError> => {
  if (isClientConfig(options) && options.provider === spec.id) return Effect.succeed(options as ClientConfig<P>)
  return attempt(spec.id, () => {
    const plan = planOf(spec as Spec<string, string>)
    const given = read(plan, options)
    const key = isCredential(given["apiKey"]) ? settled(given["apiKey"]) : undefined
    return Effect.isEffect(key)
      ? Effect.flatMap(settle(plan, key), (apiKey) => finish<P>(plan, { ...given, apiKey }))
      : finish<P>(plan, given)
  })
}

/** Options that can't be used fail with an OptionsError, and so do those that throw when they are looked at. */
const attempt = <A>(provider: string, f: () => Effect.Effect<A, OptionsError>): Effect.Effect<A, OptionsError> =>
  Effect.suspend(() => {
    try {
      return f()
    } catch (error) {
      if (error instanceof OptionsError) return Effect.fail(error)
      return Effect.fail(invalid({ provider, field: "options" }, "a value that throws when it is read", "plain values"))
    }
  })

/** Each option is read once: what was checked is what is used, even if a getter stands behind it. */
const read = (plan: Plan, options: unknown): Given => {
  if (options === undefined) return {}
  const at = { provider: plan.id, field: "options" }
  if (isClientConfig(options)) throw invalid(at, `a config of ${options.provider}`, `options or a config of ${plan.id}`)
  if (isCredential(options)) throw invalid(at, "a Credential", "an object of options: { apiKey: credential }")
  const fields = record(at, options, plan.optionNames)
  const given: Record<string, unknown> = {}
  for (const name of plan.optionNames) given[name] = fields[name]
  return given
}

const settle = (plan: Plan, key: Effect.Effect<Credential, unknown>): Effect.Effect<Credential, OptionsError> =>
  Effect.catchAllCause(key, (cause) =>
    Cause.isInterrupted(cause)
      ? Effect.interrupt
      : invalid(
          { provider: plan.id, field: "apiKey" },
          "a Credential whose version effect fails",
          "a version effect that returns a string or a finite number"
        )
  )

const finish = <P extends string>(plan: Plan, given: Given): Effect.Effect<ClientConfig<P>, OptionsError> =>
  Effect.flatMap(
    environment(plan.id, () => variables(plan, given)),
    (env) => attempt(plan.id, () => Effect.succeed(normalise<P>(plan, given, env)))
  )

/** Environment variables that can matter beside the given options. */
const variables = (plan: Plan, given: Given): ReadonlyArray<string> => {
  const names = new Set<string | undefined>([plan.env.headers])
  if (given["apiKey"] === undefined) names.add(plan.env.apiKey)
  if (given["baseURL"] === undefined) {
    names.add(plan.env.baseURL)
    for (const [name, field] of plan.endpoints) if (given[name] === undefined) names.add(field.env)
  }
  for (const [name, field] of plan.extra) if (given[name] === undefined) names.add(field.env)
  if (wantsProxy(given["transport"])) for (const name of proxyVariables) names.add(name)
  names.delete(undefined)
  return [...names] as ReadonlyArray<string>
}

const wantsProxy = (transport: unknown): boolean =>
  typeof transport === "object" && transport !== null && "proxy" in transport && transport.proxy === "env"

const normalise = <P extends string>(plan: Plan, given: Given, env: Environment): ClientConfig<P> => {
  const at = (field: string): At => ({ provider: plan.id, field })
  const time = (name: string, otherwise: number, least?: 0) =>
    given[name] === undefined ? otherwise : millis(at(name), given[name], least)
  const url = baseURL(plan, given, env)
  return config<P>({
    provider: plan.id as P,
    baseURL: url,
    credential: credential(plan, given, env),
    timeout: time("timeout", plan.timeout),
    // undici's own default; Node has none.
    bodyTimeout: time("bodyTimeout", 300_000),
    deadline: time("deadline", Infinity),
    maxRetries: given["maxRetries"] === undefined ? 2 : integer(at("maxRetries"), given["maxRetries"], 0),
    retryAmbiguous:
      given["retryAmbiguous"] === undefined
        ? "generation"
        : retryAmbiguous(at("retryAmbiguous"), given["retryAmbiguous"]),
    // openai's own retries obey a Retry-After up to this one.
    maxRetryAfter: time("maxRetryAfter", 60_000, 0),
    queueTimeout: time("queueTimeout", Infinity),
    headers: allHeaders(plan, given, env),
    query: sorted(given["query"] === undefined ? new Map() : query(at("query"), given["query"])),
    transport: transport(at("transport"), given["transport"], () => environmentProxy(plan.id, url, env)),
    quota: quota(at("quota"), given["quota"]),
    extra: extras(plan, given, env)
  })
}

const retryAmbiguous = (at: At, value: unknown): RetryAmbiguous => {
  if (value === "generation" || value === "never" || value === "always") return value
  throw invalid(at, describe(value), '"generation", "never" or "always"')
}

const lookUp = (env: Environment, variable: string | undefined) => (variable === undefined ? undefined : env(variable))

/** Tells how to give what is missing. */
const ways = (options: ReadonlyArray<string>, variables: ReadonlyArray<string | undefined>): string => {
  const set = variables.filter((name) => name !== undefined)
  const variable = set.length === 0 ? "" : `, or the environment variable ${set.join(" or ")}`
  return `the option ${options.join(" or ")}${variable}`
}

const credential = (plan: Plan, given: Given, env: Environment): Redacted.Redacted | Credential => {
  const at: At = { provider: plan.id, field: "apiKey" }
  if (given["apiKey"] !== undefined) return apiKey(at, given["apiKey"])
  const variable = plan.env.apiKey
  const found = lookUp(env, variable)
  if (variable === undefined || found === undefined) {
    throw invalid(at, "absent", ways(["apiKey: Redacted.make(key)"], [variable]))
  }
  return secret({ provider: plan.id, field: variable }, Redacted.make(found), "the provider's key")
}

const baseURL = (plan: Plan, given: Given, env: Environment): string => {
  const at = (field: string): At => ({ provider: plan.id, field })
  const ofEndpoint = (field: string, value: unknown, path: string) => {
    const where = at(field)
    return address(where, `${address(where, value)}${path}`)
  }
  const chosen = plan.endpoints.filter(([name]) => given[name] !== undefined && given[name] !== null)
  const [first, second] = [...(given["baseURL"] === undefined ? [] : ["baseURL"]), ...chosen.map(([name]) => name)]
  if (first !== undefined && second !== undefined) {
    throw invalid(at(second), `given beside ${first}`, "one of the two: both set the destination of requests")
  }
  if (given["baseURL"] !== undefined) return address(at("baseURL"), given["baseURL"])
  for (const [name, , path] of chosen) return ofEndpoint(name, given[name], path)
  const found = lookUp(env, plan.env.baseURL)
  if (found !== undefined && plan.env.baseURL !== undefined) return address(at(plan.env.baseURL), found)
  for (const [name, field, path] of plan.endpoints) {
    const value = given[name] === null ? undefined : lookUp(env, field.env)
    if (value !== undefined && field.env !== undefined) return ofEndpoint(field.env, value, path)
  }
  if (plan.baseURL !== undefined) return plan.baseURL
  const names = ["baseURL", ...plan.endpoints.map(([name]) => name)]
  throw invalid(
    at("baseURL"),
    "absent",
    ways(names, [plan.env.baseURL, ...plan.endpoints.map(([, field]) => field.env)])
  )
}

const allHeaders = (plan: Plan, given: Given, env: Environment): ClientConfig["headers"] => {
  const into = new Map<string, string>()
  const variable = plan.env.headers
  const lines = lookUp(env, variable)
  if (variable !== undefined && lines !== undefined) headerLines({ provider: plan.id, field: variable }, lines, into)
  if (given["headers"] !== undefined) headers({ provider: plan.id, field: "headers" }, given["headers"], into)
  return sorted(into)
}

const extras = (plan: Plan, given: Given, env: Environment): ClientConfig["extra"] =>
  struct(Object.fromEntries(plan.extra.map(([name, field]) => [name, extra(plan, name, field, given[name], env)])))

const extra = (plan: Plan, name: string, field: ExtraField, value: unknown, env: Environment): string | undefined => {
  const found = value === undefined ? lookUp(env, field.env) : value
  const at: At = { provider: plan.id, field: value === undefined && field.env !== undefined ? field.env : name }
  if (found === undefined || found === null) {
    if (field.required !== true) return undefined
    throw invalid({ ...at, field: name }, "absent", ways([name], [field.env]))
  }
  const checked = text(at, found)
  if (field.accepts === undefined || field.accepts.test(checked)) return checked
  throw invalid(at, describe(found), field.accepts.expected)
}
