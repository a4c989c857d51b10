/**
 * The same shared clients for code without Effect. The getters of `clientele/promise/openai`, `/groq` and `/cerebras` give
 * the SDK's own objects over the process's default set of clients; here are that set's controls, sets of one's own, and a
 * pooled `fetch` for libraries that bring their own client. No SDK is loaded.
 *
 * Nothing has to be closed: requests take leases of their own, sockets close when they have been idle, and a process with
 * nothing else to do ends by itself. A request whose answer has not come keeps it alive, awaited or not, as does a body that
 * somebody waits for; one that nobody reads does not. On SIGTERM and SIGINT, if nobody else listens, requests under way are
 * given the drain timeout, and then the process dies of the signal, at once if it comes again. An app that listens for a
 * signal decides for itself. The first process of a container exits with the signal's status, 143 or 130, instead.
 *
 * Each worker thread has a default set of its own, with its own sockets and budgets, and so has each process. It closes with
 * its worker. Signals come to the main thread alone, so requests of workers end when the process does.
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import type * as ClientLayer from "./ClientLayer.ts"
import type * as ClientMap from "./ClientMap.ts"
import type { PromiseApiRequest, PromiseCallOptions } from "./internal/direct/options.ts"
import type * as CerebrasSdk from "./internal/direct/types/cerebras.ts"
import type * as GroqSdk from "./internal/direct/types/groq.ts"
import type * as OpenAISdk from "./internal/direct/types/openai.ts"
import * as apis from "./internal/promise/apis.ts"
import * as fetches from "./internal/promise/fetches.ts"
import type { PoolOptions, WrappedKey } from "./internal/promise/options/types.ts"
import * as internal from "./internal/promise/set.ts"

/**
 * Counts since the set was made, and the clients of this moment.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends ClientMap.Stats {
  /** SDK objects that are held for who asks next. Others that are in use are held by their users alone. */
  readonly objects: number
}

/**
 * For `getFetch`, in the names of the SDKs' own options. What is absent comes from the provider's usual environment
 * variables.
 *
 * @since 0.1.0
 * @category models
 */
export interface FetchOptions extends PoolOptions {
  /**
   * The provider of the API; for other servers with OpenAI's API, set `baseURL`.
   *
   * @default "openai"
   */
  readonly provider?: "openai" | "azure" | "groq" | "cerebras" | undefined
  /** The key by which budgets are shared. The library sends its own, which must be the same. */
  readonly apiKey?: string | WrappedKey | undefined
  /** Requests elsewhere than to its origin are refused. */
  readonly baseURL?: string | null | undefined
  /** Milliseconds to the response's headers. */
  readonly timeout?: number | undefined
  /** Turn the library's own retries off. @default 2 */
  readonly maxRetries?: number | undefined
  readonly defaultHeaders?: Readonly<Record<string, string | null | undefined>> | undefined
  /** OpenAI and Azure. */
  readonly organization?: string | null | undefined
  /** OpenAI and Azure. */
  readonly project?: string | null | undefined
  /** Azure. */
  readonly endpoint?: string | undefined
  /** Azure. */
  readonly apiVersion?: string | undefined
  /** Azure. */
  readonly deployment?: string | undefined
}

/**
 * For the getters of APIs, in the names of the SDKs' own options. What is absent comes from the provider's usual
 * environment variables.
 *
 * @since 0.1.0
 * @category models
 */
export type ApiOptions = Omit<FetchOptions, "provider">

export type { PromiseApiRequest, PromiseCallOptions } from "./internal/direct/options.ts"

/**
 * An API without an SDK between. Functions reject with a `ClientError`: a `RequestError`, `PoolError` or `OptionsError`.
 * They may be kept and called without the object that they come from. A call that would only wait, for a socket or its
 * quota, is written when its turn has come: until it settles, its body must not change.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChatApi<Body, Answer, StreamBody, Piece> {
  /** One completion. */
  readonly chat: (body: Body, options?: PromiseCallOptions) => Promise<Answer>
  /**
   * One completion as it comes. The request is sent when its first value is asked for, and aborted when the loop over it
   * ends early.
   */
  readonly chatStream: (body: StreamBody, options?: PromiseCallOptions) => AsyncIterable<Piece>
  /** A request to any path below the base URL: the parsed answer if that is JSON, else its text, `null` for a 204. */
  readonly request: (request: PromiseApiRequest) => Promise<unknown>
}

/**
 * OpenAI's API, also on Azure, in the types of `openai`, which are `any` where it is not installed.
 *
 * @since 0.1.0
 * @category models
 */
export interface OpenAIApi extends ChatApi<
  OpenAISdk.ChatBody,
  OpenAISdk.ChatCompletion,
  OpenAISdk.ChatStreamBody,
  OpenAISdk.ChatCompletionChunk
> {
  /** Embeddings, as numbers. */
  readonly embeddings: (body: OpenAISdk.EmbeddingsBody, options?: PromiseCallOptions) => Promise<OpenAISdk.Embeddings>
}

/**
 * Groq's API, in the types of `groq-sdk`, which are `any` where it is not installed.
 *
 * @since 0.1.0
 * @category models
 */
export interface GroqApi extends ChatApi<
  GroqSdk.ChatBody,
  GroqSdk.ChatCompletion,
  GroqSdk.ChatStreamBody,
  GroqSdk.ChatCompletionChunk
> {
  /** Embeddings, as numbers. */
  readonly embeddings: (body: GroqSdk.EmbeddingsBody, options?: PromiseCallOptions) => Promise<GroqSdk.Embeddings>
}

/**
 * Cerebras's API, in the types of `@cerebras/cerebras_cloud_sdk`, which are `any` where it is not installed.
 *
 * @since 0.1.0
 * @category models
 */
export type CerebrasApi = ChatApi<
  CerebrasSdk.ChatBody,
  CerebrasSdk.ChatCompletion,
  CerebrasSdk.ChatStreamBody,
  CerebrasSdk.ChatCompletionChunk
>

/**
 * A set of clients. The getters take it as their last argument.
 *
 * @since 0.1.0
 * @category models
 */
export interface Clients extends AsyncDisposable {
  /**
   * A `fetch` that shares connections and budgets with all clients of the set. The same options give the same function.
   * A request that fails without an answer, and a body that fails while it is read, reject with a `RequestError` or a
   * `PoolError`; one that its caller aborts rejects as any fetch does. Throws an `OptionsError` for options that can't
   * be used.
   */
  readonly getFetch: (options?: FetchOptions) => typeof globalThis.fetch
  /**
   * Lets the connections of a client go, or of a fetch of `getFetch`, or of all of them, and has the next request open
   * others. Requests under way come to their end.
   */
  readonly invalidate: (client?: object) => Promise<void>
  /** Without a secret in it. */
  readonly stats: () => Promise<Stats>
  /**
   * Refuses new requests, with `PoolError` `Closed`, gives those under way the drain timeout, and closes all sockets. A
   * runtime that the set was made with stays open, and requests under way go on in it.
   */
  readonly close: () => Promise<void>
}

/**
 * Options of a set of clients: limits of its own, or a runtime with a `ClientMap`, whose clients, connections and
 * budgets it then shares.
 *
 * @since 0.1.0
 * @category models
 */
export type Options =
  | ClientLayer.Options
  | { readonly runtime: ManagedRuntime.ManagedRuntime<ClientMap.ClientMap, unknown> }

const clientsOf = (set: internal.ClientSet): Clients =>
  internal.register(
    {
      getFetch: (options) => fetches.fetchOf(set, options),
      invalidate: set.invalidate,
      stats: set.stats,
      close: set.close,
      [Symbol.asyncDispose]: set.close
    },
    set
  )

/**
 * A set of one's own, which shares nothing with the default one. It can be closed, and keeps no process alive if it is not.
 * When the process ends it ends like the default one, unless it was made with a runtime, which ends as its owner says.
 * Throws an `OptionsError`.
 *
 * @example
 * ```ts
 * import { makeClients } from "clientele/Promise"
 *
 * export const main = async () => {
 *   await using clients = makeClients({ maxSockets: 100, drainTimeout: "5 seconds" })
 *   const fetch = clients.getFetch({ provider: "groq", apiKey: "gsk-..." })
 *   return (await fetch("https://api.groq.com/openai/v1/models")).status
 * }
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeClients = (options: Options = {}): Clients => clientsOf(internal.make(options))

/**
 * Closes the default set. Clients that were got from it are refused from then on; who asks for another gets one of a new set.
 *
 * @since 0.1.0
 * @category default set
 */
export const closeAll = async (): Promise<void> => internal.peekDefault()?.close()

/**
 * `Clients.invalidate` of the default set.
 *
 * @since 0.1.0
 * @category default set
 */
export const invalidate = (client?: object): Promise<void> =>
  internal.peekDefault()?.invalidate(client) ?? Promise.resolve()

/**
 * `Clients.stats` of the default set.
 *
 * @since 0.1.0
 * @category default set
 */
export const stats = (): Promise<Stats> => internal.peekDefault()?.stats() ?? Promise.resolve(internal.noStats)

/**
 * `Clients.getFetch` of the default set.
 *
 * @since 0.1.0
 * @category default set
 */
export const getFetch = (options?: FetchOptions): typeof globalThis.fetch =>
  fetches.fetchOf(internal.defaultSet(), options)

/**
 * OpenAI's API without an SDK between, at a third of the CPU, over the connections and budgets of `getOpenAIClient` with
 * the same options. The same options give the same object. `clients` is a set of one's own, by default the process's.
 * Throws an `OptionsError` for options that can't be used, and a `PoolError` of reason `Closed` if the set is.
 *
 * @example
 * ```ts
 * import { getOpenAIApi } from "clientele/Promise"
 *
 * export const tell = async (question: string) => {
 *   const chunks = getOpenAIApi({ timeout: 30_000 }).chatStream({
 *     model: "gpt-5-mini",
 *     messages: [{ role: "user", content: question }]
 *   })
 *   for await (const { choices } of chunks) process.stdout.write(choices[0]?.delta.content ?? "")
 * }
 * ```
 *
 * @since 0.1.0
 * @category APIs
 */
export const getOpenAIApi = (options?: ApiOptions, clients?: Clients): OpenAIApi =>
  apis.openaiApi(internal.setOf(clients), options) as never

/**
 * The same for OpenAI's models on Azure.
 *
 * @since 0.1.0
 * @category APIs
 */
export const getAzureOpenAIApi = (options?: ApiOptions, clients?: Clients): OpenAIApi =>
  apis.azureApi(internal.setOf(clients), options) as never

/**
 * The same for Groq.
 *
 * @since 0.1.0
 * @category APIs
 */
export const getGroqApi = (options?: ApiOptions, clients?: Clients): GroqApi =>
  apis.groqApi(internal.setOf(clients), options) as never

/**
 * The same for Cerebras.
 *
 * @since 0.1.0
 * @category APIs
 */
export const getCerebrasApi = (options?: ApiOptions, clients?: Clients): CerebrasApi =>
  apis.cerebrasApi(internal.setOf(clients), options) as never
