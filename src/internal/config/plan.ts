/** A provider's spec, read once. */
import type { CommonOptions, ExtraField, Spec } from "../../ClientConfig.ts"
import { invalid, millis, text } from "../options/validate.ts"
import { dangerous } from "../options/knownKeys.ts"
import { address } from "./url.ts"

export interface Plan {
  readonly id: string
  readonly baseURL: string | undefined
  readonly timeout: number
  readonly env: {
    readonly apiKey?: string | undefined
    readonly baseURL?: string | undefined
    readonly headers?: string | undefined
  }
  /** In the order of their names. */
  readonly extra: ReadonlyArray<readonly [name: string, field: ExtraField]>
  /** The options that are alternatives to `baseURL`. */
  readonly endpoints: ReadonlyArray<readonly [name: string, field: ExtraField, path: string]>
  readonly optionNames: ReadonlySet<string>
}

const common = [
  "apiKey",
  "baseURL",
  "timeout",
  "bodyTimeout",
  "deadline",
  "maxRetries",
  "retryAmbiguous",
  "maxRetryAfter",
  "queueTimeout",
  "headers",
  "query",
  "transport",
  "quota"
] as const satisfies ReadonlyArray<keyof CommonOptions>

const plans = new WeakMap<object, Plan>()

export const planOf = (spec: Spec<string, string>): Plan => {
  const known = plans.get(spec)
  if (known !== undefined) return known
  const made = plan(spec)
  plans.set(spec, made)
  return made
}

const plan = (spec: Spec<string, string>): Plan => {
  const at = (field: string) => ({ provider: String(spec.id), field: `spec.${field}` })
  const id = text(at("id"), spec.id)
  const own = Object.entries<ExtraField>(spec.extra ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  for (const [name] of own) {
    if (dangerous.has(name) || (common as ReadonlyArray<string>).includes(name)) {
      throw invalid(at("extra"), `an option named ${name}`, "names that are free")
    }
  }
  return {
    id,
    baseURL: spec.baseURL === undefined ? undefined : address(at("baseURL"), spec.baseURL),
    timeout: spec.timeout === undefined ? 600_000 : millis(at("timeout"), spec.timeout),
    env: { ...spec.env },
    extra: own.filter(([, field]) => field.baseURLPath === undefined),
    endpoints: own.flatMap(([name, field]) =>
      field.baseURLPath === undefined ? [] : [[name, field, field.baseURLPath]]
    ),
    optionNames: new Set([...common, ...own.map(([name]) => name)])
  }
}
