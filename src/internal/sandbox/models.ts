/** Lists of models, as each provider writes them. */
import { noModel, problem } from "./errors.ts"
import type { ProviderName } from "./model.ts"
import { json, type Reply } from "./reply.ts"

const KNOWN: Readonly<Record<ProviderName, ReadonlyArray<string>>> = {
  openai: ["gpt-5", "gpt-5-mini", "gpt-4o", "gpt-4o-mini", "text-embedding-3-small", "text-embedding-3-large"],
  azure: ["gpt-5", "gpt-4o", "gpt-4o-mini", "text-embedding-3-small"],
  groq: ["llama-3.3-70b-versatile", "llama-3.1-8b-instant", "openai/gpt-oss-120b"],
  cerebras: ["llama-3.3-70b", "llama3.1-8b", "gpt-oss-120b", "qwen-3-32b"],
  anthropic: ["claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-5"]
}

/** Fixed, so that a list is the same each time. */
const CREATED_AT_SECONDS = 1_735_689_600

const entry = (provider: ProviderName, id: string): unknown =>
  provider === "anthropic"
    ? { type: "model", id, display_name: id, created_at: new Date(CREATED_AT_SECONDS * 1000).toISOString() }
    : { id, object: "model", created: CREATED_AT_SECONDS, owned_by: "sandbox" }

export const models = (
  provider: ProviderName,
  id: string | undefined,
  options: ReadonlyArray<string> | undefined
): Reply => {
  const ids = options ?? KNOWN[provider]
  if (id !== undefined) {
    return ids.includes(id) ? json(200, entry(provider, id)) : problem(provider, noModel(provider, id))
  }
  const data = ids.map((one) => entry(provider, one))
  return provider === "anthropic"
    ? json(200, { data, has_more: false, first_id: ids[0] ?? null, last_id: ids.at(-1) ?? null })
    : json(200, { object: "list", data })
}
