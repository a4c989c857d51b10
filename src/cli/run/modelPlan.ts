/** The model of a run: provider, name, server, key and parameters. */
import { UsageError } from "../exit.ts"
import { labelOf, number, text, texts, type Values } from "../usage.ts"

const PROVIDERS = ["openai", "azure", "groq", "cerebras"] as const

type ProviderName = (typeof PROVIDERS)[number]

export interface ModelPlan {
  readonly provider: ProviderName
  readonly name: string
  readonly baseUrl: string | undefined
  /** Variable with the key. */
  readonly keyVariable: string
  /** True for a server of one's own that is given no key. */
  readonly isKeyless: boolean
  readonly apiVersion: string | undefined
  readonly params: Readonly<Record<string, unknown>>
  readonly timeoutMs: number | undefined
  readonly rpm: number | undefined
  readonly tpm: number | undefined
}

const KEY_VARIABLES: Readonly<Record<ProviderName, string>> = {
  openai: "OPENAI_API_KEY",
  azure: "AZURE_OPENAI_API_KEY",
  groq: "GROQ_API_KEY",
  cerebras: "CEREBRAS_API_KEY"
}

const EXAMPLE = "for instance --model groq:llama-3.3-70b-versatile"

const readName = (values: Values): { readonly provider: ProviderName; readonly name: string } => {
  const given = text(values, "model")
  if (given === undefined) throw new UsageError(`no model is given; add --model, ${EXAMPLE}`)
  const label = labelOf(values, "model")
  const colon = given.indexOf(":")
  const prefix = colon < 0 ? "" : given.slice(0, colon)
  const provider = PROVIDERS.find((name) => name === prefix)
  const name = provider === undefined ? given : given.slice(colon + 1)
  if (name.trim() === "")
    throw new UsageError(`${label} is ${JSON.stringify(given)}, without a model; expected ${EXAMPLE}`)
  if (provider !== undefined) return { provider, name }
  // Names of local models have colons of their own, as `llama3.2:3b`.
  if (values["base-url"] !== undefined) return { provider: "openai", name }
  throw new UsageError(
    `${label} is ${JSON.stringify(given)}; expected one of ${PROVIDERS.join(", ")} before a colon, ${EXAMPLE}, or --base-url of another server`
  )
}

const readUrl = (values: Values): string | undefined => {
  const given = text(values, "base-url")
  if (given === undefined) return undefined
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (url?.protocol === "http:" || url?.protocol === "https:") return given
  throw new UsageError(
    `${labelOf(values, "base-url")} is ${JSON.stringify(given)}; expected for instance http://localhost:8000/v1`
  )
}

/** Parameters that the command sets itself. */
const OWN: Readonly<Record<string, string>> = {
  model: "use --model",
  messages: "use --prompt and --system",
  stream: "answers are read whole",
  stream_options: "answers are read whole",
  n: "use --repeat"
}

/** A value is JSON if it can be, else a text. */
const valueOf = (given: string): unknown => {
  try {
    return JSON.parse(given)
  } catch {
    return given
  }
}

const readParams = (values: Values): Record<string, unknown> => {
  const params: Record<string, unknown> = {}
  for (const given of texts(values, "param") ?? []) {
    const equals = given.indexOf("=")
    const name = given.slice(0, equals).trim()
    if (equals < 1 || name === "" || name === "__proto__") {
      throw new UsageError(
        `${labelOf(values, "param")} is ${JSON.stringify(given)}; expected NAME=VALUE, such as temperature=0`
      )
    }
    if (Object.hasOwn(OWN, name)) throw new UsageError(`--param can't set ${name}; ${OWN[name]}`)
    params[name] = valueOf(given.slice(equals + 1))
  }
  return params
}

const BOUNDS = ["max_tokens", "max_completion_tokens"]

const readMaxTokens = (values: Values, field: string, params: Record<string, unknown>): void => {
  const tokens = number(values, "max-tokens", { min: 1, max: 10_000_000, whole: true })
  if (tokens === undefined) {
    if (values["max-cost"] === undefined || BOUNDS.some((name) => params[name] !== undefined)) return
    throw new UsageError(`${labelOf(values, "max-cost")} needs a bound on answers; add --max-tokens N`)
  }
  for (const other of BOUNDS) {
    if (params[other] !== undefined)
      throw new UsageError(`--max-tokens and --param ${other} are both given; choose one`)
  }
  params[field] = tokens
}

export const readModel = (values: Values, env: NodeJS.ProcessEnv): ModelPlan => {
  const { name, provider } = readName(values)
  const baseUrl = readUrl(values)
  const asked = text(values, "api-key-env")
  const keyVariable = asked ?? KEY_VARIABLES[provider]
  const hasKey = (env[keyVariable] ?? "").trim() !== ""
  const isKeyless = !hasKey && asked === undefined && baseUrl !== undefined && provider === "openai"
  if (!hasKey && !isKeyless && values["dry-run"] !== true) {
    throw new UsageError(
      `no key for ${provider}: the variable ${keyVariable} is not set; set it, or name another with --api-key-env`
    )
  }
  const params = readParams(values)
  // Servers of one's own know the older name, and not all of them the newer one.
  readMaxTokens(values, baseUrl !== undefined && provider === "openai" ? "max_tokens" : "max_completion_tokens", params)
  const seconds = number(values, "timeout", { min: 0.001, unit: "seconds" })
  return {
    provider,
    name,
    baseUrl,
    keyVariable,
    isKeyless,
    apiVersion: text(values, "api-version"),
    params,
    timeoutMs: seconds === undefined ? undefined : seconds * 1000,
    rpm: number(values, "rpm", { min: 1 }),
    tpm: number(values, "tpm", { min: 1 })
  }
}
