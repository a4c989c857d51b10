/** The ways to each provider: through its SDK's client, and without an SDK between, with Effect and without. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as AzureOpenAiApi from "../../src/AzureOpenAiApi.ts"
import * as CerebrasApi from "../../src/CerebrasApi.ts"
import type { ClientConfig } from "../../src/ClientConfig.ts"
import type { ClientError } from "../../src/ClientError.ts"
import { ClientMap } from "../../src/ClientMap.ts"
import * as GroqApi from "../../src/GroqApi.ts"
import type { ApiRequest, CallOptions } from "../../src/internal/direct/options.ts"
import type { PromiseApi } from "../../src/internal/direct/promises.ts"
import * as OpenAiApi from "../../src/OpenAiApi.ts"
import { apiOf } from "../support/directSubjects.ts"
import { type Subject, subjects } from "../support/providers.ts"

type Body = Readonly<Record<string, unknown>>

export interface Door {
  readonly name: "SDK" | "direct" | "direct without Effect"
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

export interface Doors {
  readonly name: Subject["name"]
  readonly subject: Subject
  readonly sdk: Door
  readonly direct: Door
  readonly withoutEffect: Door
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

const doorWithoutEffect = (name: Subject["name"]): Door => {
  const call = (config: ClientConfig, f: (api: PromiseApi, signal: AbortSignal) => Promise<unknown>) =>
    Effect.flatMap(ClientMap, (map) =>
      Effect.tryPromise({
        try: (signal) => f(apiOf(name, map, config), signal),
        catch: (error) => error as ClientError
      })
    )
  const door: Door = {
    name: "direct without Effect",
    chat: (config, body, options) => call(config, ({ chat }, signal) => chat(body, { ...options, signal })),
    chatStream: (config, body, options) =>
      Stream.unwrap(
        Effect.map(ClientMap, (map) =>
          Stream.fromAsyncIterable(apiOf(name, map, config).chatStream(body, options), (error) => error as ClientError)
        )
      ),
    request: (config, request) => call(config, (api, signal) => api.request({ ...request, signal }))
  }
  if (name === "cerebras") return door
  const embeddings: Door["embeddings"] = (config, body, options) =>
    call(config, (api, signal) => api.embeddings(body, { ...options, signal }))
  return { ...door, embeddings }
}

export const providers: ReadonlyArray<Doors> = subjects.map((subject) => ({
  name: subject.name,
  subject,
  sdk: sdkDoor(subject),
  direct: directDoor(subject.name),
  withoutEffect: doorWithoutEffect(subject.name)
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
