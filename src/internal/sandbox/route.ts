/** Provider and endpoint of a path. */
import type { Exchange } from "./exchange.ts"
import type { ProviderName } from "./model.ts"

type Endpoint = "chat" | "responses" | "messages" | "embeddings" | "models" | "files" | "warming" | "unknown"

export interface Route {
  readonly provider: ProviderName
  readonly endpoint: Endpoint
  /** Path after the endpoint: a model's or a file's id. */
  readonly id: string | undefined
  /** Azure's deployment, which stands for the model. */
  readonly deployment: string | undefined
}

const ENDPOINTS: ReadonlyArray<readonly [prefix: string, endpoint: Endpoint, methods: ReadonlyArray<string>]> = [
  ["chat/completions", "chat", ["POST"]],
  ["responses", "responses", ["POST"]],
  ["messages", "messages", ["POST"]],
  ["embeddings", "embeddings", ["POST"]],
  ["models", "models", ["GET"]],
  ["files", "files", ["POST", "GET", "DELETE"]],
  ["tcp_warming", "warming", ["GET"]]
]

const NAMES: ReadonlyArray<string> = ["openai", "azure", "groq", "cerebras", "anthropic"] satisfies Array<ProviderName>

const isName = (name: string): name is ProviderName => NAMES.includes(name)

export const route = (exchange: Exchange, path: string): Route => {
  let rest = path
  let provider: ProviderName = "openai"
  let deployment: string | undefined
  if (rest.startsWith("/openai/")) {
    rest = rest.slice("/openai".length)
    const match = /^\/deployments\/([^/]+)(\/.*)$/.exec(rest)
    provider = match !== null || !rest.startsWith("/v1/") || exchange.header("api-key") !== undefined ? "azure" : "groq"
    if (match !== null) {
      deployment = decoded(match[1] ?? "")
      rest = match[2] ?? ""
    }
  } else if (rest.startsWith("/v1/messages") || exchange.header("anthropic-version") !== undefined) {
    provider = "anthropic"
  } else if (exchange.header("user-agent")?.startsWith("Cerebras") === true || rest === "/v1/tcp_warming") {
    // OpenAI and Cerebras have their paths in common; the SDKs identify themselves.
    provider = "cerebras"
  }
  const said = exchange.header("x-sandbox-provider")
  if (said !== undefined && isName(said)) provider = said
  const tail = rest.replace(/^\/v1(?=\/)/, "").slice(1)
  for (const [prefix, endpoint, methods] of ENDPOINTS) {
    if (!tail.startsWith(prefix) || !methods.includes(exchange.method)) continue
    const after = tail.slice(prefix.length)
    if (after === "" || after === "/") return { provider, endpoint, deployment, id: undefined }
    if (after.startsWith("/") && (endpoint === "models" || endpoint === "files")) {
      return { provider, endpoint, deployment, id: decoded(after.slice(1)) }
    }
  }
  return { provider, endpoint: "unknown", deployment, id: undefined }
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The key as the request carries it, in whichever header. */
export const keyOf = (exchange: Exchange): string => {
  const authorization = exchange.header("authorization")
  if (authorization !== undefined) return authorization.replace(/^bearer\s+/i, "")
  return exchange.header("api-key") ?? exchange.header("x-api-key") ?? ""
}
