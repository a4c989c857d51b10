/** Both ways to each provider: through its SDK's client, and without an SDK between. */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import * as AzureOpenAiApi from "../../src/AzureOpenAiApi.ts"
import * as CerebrasApi from "../../src/CerebrasApi.ts"
import type { ClientConfig } from "../../src/ClientConfig.ts"
import type { ClientError } from "../../src/ClientError.ts"
import type { ClientMap } from "../../src/ClientMap.ts"
import * as GroqApi from "../../src/GroqApi.ts"
import type { ApiRequest, CallOptions } from "../../src/internal/direct/options.ts"
import * as OpenAiApi from "../../src/OpenAiApi.ts"
import { type Subject, subjects } from "../support/providers.ts"

type Body = Readonly<Record<string, unknown>>

export interface Door {
  readonly name: "SDK" | "direct"
  readonly chat: (
    config: ClientConfig,
    body: Body,
    options?: CallOptions
  ) => Effect.Effect<unknown, ClientError, ClientMap>
  readonly chatStream: (
    config: ClientConfig,
    body: Body,
    options?: CallOptions
  ) => Stream.Stream<unknown, ClientError, ClientMap>
  /** @default the provider has none */
  readonly embeddings?: (
    config: ClientConfig,
    body: Body,
    options?: CallOptions
  ) => Effect.Effect<unknown, ClientError, ClientMap>
  readonly request: (config: ClientConfig, request: ApiRequest) => Effect.Effect<unknown, ClientError, ClientMap>
}

export interface TwoDoors {
  readonly name: Subject["name"]
  readonly subject: Subject
  readonly sdk: Door
  readonly direct: Door
}

/** Members that the four SDKs' clients have in common. */
interface Client {
  readonly chat: { readonly completions: { create(body: Body, options?: object): PromiseLike<unknown> } }
  readonly embeddings?: { create(body: Body, options?: object): PromiseLike<unknown> }
  get(path: string, options?: object): PromiseLike<unknown>
  post(path: string, options?: object): PromiseLike<unknown>
  put(path: string, options?: object): PromiseLike<unknown>
  patch(path: string, options?: object): PromiseLike<unknown>
  delete(path: string, options?: object): PromiseLike<unknown>
}

const methods = { GET: "get", POST: "post", PUT: "put", PATCH: "patch", DELETE: "delete" } as const

const sdkDoor = (subject: Subject): Door => {
  const use = (config: ClientConfig, f: (client: Client) => PromiseLike<unknown>) =>
    subject.use(config, (client) => f(client as unknown as Client))
  const door: Door = {
    name: "SDK",
    chat: (config, body, options) => use(config, (client) => client.chat.completions.create(body, options)),
    chatStream: (config, body, options) =>
      subject.streamWith(config, (client) => {
        const { create } = client.chat.completions as unknown as Client["chat"]["completions"]
        const sent = create.call(client.chat.completions, { ...body, stream: true }, options)
        return sent as PromiseLike<AsyncIterable<unknown>>
      }),
    request: (config, { method, path, ...options }) => use(config, (client) => client[methods[method]](path, options))
  }
  if (subject.name === "cerebras") return door
  return {
    ...door,
    embeddings: (config, body, options) => use(config, (client) => client.embeddings!.create(body, options))
  }
}

const modules = { openai: OpenAiApi, azure: AzureOpenAiApi, groq: GroqApi, cerebras: CerebrasApi }

const directDoor = (name: Subject["name"]): Door => ({ ...(modules[name] as unknown as Door), name: "direct" })

export const providers: ReadonlyArray<TwoDoors> = subjects.map((subject) => ({
  name: subject.name,
  subject,
  sdk: sdkDoor(subject),
  direct: directDoor(subject.name)
}))

export const body = (content = "hello", model = "test-model"): Body => ({
  model,
  messages: [{ role: "user", content }]
})

/** All that callers see of an error, but for its cause, which is each door's own. */
export const facts = (error: ClientError): unknown => {
  const { cause: _, ...rest } = { ...error } as { cause?: unknown }
  return JSON.parse(JSON.stringify({ ...rest, message: error.message }))
}
