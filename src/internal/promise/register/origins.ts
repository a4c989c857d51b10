/**
 * The known origins of providers: their own, those that the environment names to the SDKs, and those that
 * `CLIENTELE_FETCH` adds.
 */
import * as specs from "../../config/specs.ts"

export interface Known {
  readonly provider: "openai" | "azure" | "groq" | "cerebras"
  /** As its SDK takes it; Azure's endpoint. */
  readonly baseURL: string
}

const fixed = new Map<string, Known>()
for (const { baseURL, id: provider } of [specs.openai, specs.groq, specs.cerebras]) {
  if (baseURL !== undefined) fixed.set(new URL(baseURL).origin, { provider, baseURL })
}

/** OpenAI's regions, and the resources of Azure OpenAI and of Azure AI Foundry. */
const region = /^https:\/\/[a-z]{2}\.api\.openai\.com$/
const resource = /^https:\/\/[\w-]+\.(?:openai|cognitiveservices|services\.ai)\.azure\.com$/

const variables: ReadonlyArray<readonly [name: string | undefined, provider: Known["provider"]]> = [
  [specs.openai.env?.baseURL, "openai"],
  [specs.azure.extra?.endpoint.env, "azure"],
  [specs.groq.env?.baseURL, "groq"],
  [specs.cerebras.env?.baseURL, "cerebras"]
]

/** `undefined` for what is no address of a server. */
export const originOf = (url: string): string | undefined => {
  const parsed = URL.parse(url)
  return parsed !== null && /^https?:$/.test(parsed.protocol) ? parsed.origin : undefined
}

/** Read each time: many apps fill `process.env` while they load. */
const named = (origin: string): Known | undefined => {
  for (const [name, provider] of variables) {
    const baseURL = name === undefined ? undefined : process.env[name]?.trim()
    if (baseURL !== undefined && baseURL !== "" && originOf(baseURL) === origin) return { provider, baseURL }
  }
  return undefined
}

const added = new Map<string, Known>()

/** The provider and base URL of an origin, `undefined` if unknown. */
export const find = (origin: string): Known | undefined => {
  const known = fixed.get(origin) ?? added.get(origin) ?? named(origin)
  if (known !== undefined) return known
  if (region.test(origin)) return { provider: "openai", baseURL: `${origin}/v1` }
  return resource.test(origin) ? { provider: "azure", baseURL: origin } : undefined
}

/** An entry of `CLIENTELE_FETCH`, counted from 1, that is no base URL. */
export interface Invalid {
  readonly invalid: number
}

const isPlain = ({ hash, password, search, username }: URL): boolean => `${hash}${password}${search}${username}` === ""

/** Reads `CLIENTELE_FETCH`, and adds the origins that it names. True if it asks for anything. */
export const readVariable = (text: string | undefined): boolean | Invalid => {
  const entries = (text ?? "").split(/[\s,]+/).filter((entry) => entry !== "")
  if (entries.length === 0 || (entries.length === 1 && /^(?:0|false|off|no)$/i.test(entries[0]!))) return false
  for (const [index, baseURL] of entries.entries()) {
    if (/^(?:1|true|on|yes)$/i.test(baseURL)) continue
    const origin = originOf(baseURL)
    if (origin === undefined || !isPlain(new URL(baseURL))) return { invalid: index + 1 }
    const isAzure = resource.test(origin)
    added.set(origin, isAzure ? { provider: "azure", baseURL: origin } : { provider: "openai", baseURL })
  }
  return true
}
