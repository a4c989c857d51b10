/** Differences between the APIs of the four providers: requests as their SDKs send them, answers as they read them. */
import type { ClientConfig } from "../../ClientConfig.ts"
import type { Provider } from "../../Provider.ts"
import type { Bare } from "../client/bareProviders.ts"
import * as providers from "../client/bareProviders.ts"
import { PLACEHOLDER } from "../redaction/redact.ts"
import { type EventFormat, filled, plain } from "./events.ts"

export type Fields = Readonly<Record<string, unknown>>

export interface Api<P extends string, Extra extends string> {
  readonly provider: Provider<Bare, Bare, P, Extra>
  readonly chatPath: string
  readonly embeddingsPath: string
  /** Header with the secret, for which a placeholder stands. */
  readonly secret: readonly [name: string, value: string]
  readonly redirect: "follow" | "manual"
  /** Path of a POST with this body. @default the path as it is */
  readonly route?: ((config: ClientConfig<P>, path: string, body: Fields) => string) | undefined
  /** Parameters of a chat that are sent as headers. @default none */
  readonly headerParams?: ReadonlyArray<string> | undefined
  /** True if messages of errors are made of the body's `error`, not of the whole body. */
  readonly isNested: boolean
  /** True if answers carry `_request_id`, the id of their request. */
  readonly hasRequestId: boolean
  /** True if embeddings are asked for in base64, which is a quarter of their size as text, and decoded. */
  readonly decodesBase64: boolean
  /** Events of a streamed chat. */
  readonly events: EventFormat
}

const bearer = ["authorization", `Bearer ${PLACEHOLDER}`] as const

export const openai: Api<"openai", "organization" | "project"> = {
  provider: providers.openai,
  chatPath: "/chat/completions",
  embeddingsPath: "/embeddings",
  secret: bearer,
  redirect: "follow",
  isNested: true,
  hasRequestId: true,
  decodesBase64: true,
  events: filled
}

/** Paths below a deployment: `_deployments_endpoints` of openai 7.57. */
const deployed = new Set([
  "/completions",
  "/chat/completions",
  "/embeddings",
  "/audio/transcriptions",
  "/audio/translations",
  "/audio/speech",
  "/images/generations",
  "/batches",
  "/images/edits"
])

/** Characters of a path segment (RFC 3986, 3.3) stay as they are. */
const segment = (name: string): string => name.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@]+/g, encodeURIComponent)

/** Without `deployment` the model's name is that of its deployment. Throws a TypeError. */
const toDeployment = ({ baseURL, extra }: ClientConfig, path: string, { model }: Fields): string => {
  const name = extra["deployment"] ?? model
  if (!deployed.has(path) || name == null || new URL(baseURL).pathname.split("/").includes("deployments")) return path
  const encoded = segment(String(name))
  if (/^(?:\.|%2e){1,2}$/i.test(encoded)) throw new TypeError(`a deployment can't be named "${encoded}"`)
  return `/deployments/${encoded}${path}`
}

export const azure: Api<"azure", "endpoint" | "apiVersion" | "deployment" | "organization" | "project"> = {
  ...openai,
  provider: providers.azure,
  secret: ["api-key", PLACEHOLDER],
  // The SDK's, since another origin must not get the key.
  redirect: "manual",
  route: toDeployment
}

export const groq: Api<"groq", never> = {
  provider: providers.groq,
  chatPath: "/openai/v1/chat/completions",
  embeddingsPath: "/openai/v1/embeddings",
  secret: bearer,
  redirect: "follow",
  isNested: false,
  hasRequestId: false,
  decodesBase64: false,
  events: plain
}

export const cerebras: Api<"cerebras", never> = {
  provider: providers.cerebras,
  chatPath: "/v1/chat/completions",
  embeddingsPath: "/v1/embeddings",
  secret: bearer,
  redirect: "follow",
  headerParams: ["CF-RAY", "X-Amz-Cf-Id", "X-delay-time"],
  isNested: false,
  hasRequestId: false,
  decodesBase64: false,
  events: plain
}
