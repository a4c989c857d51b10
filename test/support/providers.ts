import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as AzureOpenAiClient from "../../src/AzureOpenAiClient.ts"
import * as CerebrasClient from "../../src/CerebrasClient.ts"
import type { ClientConfig, CommonOptions } from "../../src/ClientConfig.ts"
import type { ClientError, OptionsError } from "../../src/ClientError.ts"
import type { ClientMap } from "../../src/ClientMap.ts"
import * as GroqClient from "../../src/GroqClient.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import type { Sandbox } from "../../src/testing/Sandbox.ts"

interface Completion {
  readonly choices?: ReadonlyArray<{ readonly message?: { readonly content?: string | null } | null }> | null
}

interface Piece {
  readonly choices?: ReadonlyArray<{ readonly delta?: { readonly content?: string | null | undefined } | null }> | null
}

interface Question {
  readonly model: string
  readonly messages: Array<{ role: "user"; content: string }>
}

/** The parts of a sandbox that a config needs, and which other servers have too. */
export type Place = Pick<Sandbox, "baseURL" | "ca">

/** Nobody listens there. A port that was free a moment ago another process may have by now. */
export const nobody: Place = { baseURL: () => "http://127.0.0.1:9", ca: certificate.ca }

/** Common interface of the clients of the four SDKs. */
export interface Chat {
  readonly chat: {
    readonly completions: {
      create(body: Question & { stream?: false }, options?: { signal?: AbortSignal }): PromiseLike<unknown>
      create(body: Question & { stream: true }): PromiseLike<AsyncIterable<unknown>>
    }
  }
}

/** A provider module, seen through that. Methods, so that TypeScript compares their parameters both ways. */
interface Door {
  config(options?: CommonOptions): Effect.Effect<ClientConfig, OptionsError>
  get(config: ClientConfig): Effect.Effect<Chat, ClientError, ClientMap | Scope.Scope>
  use<A>(
    config: ClientConfig,
    f: (client: Chat, signal: AbortSignal) => PromiseLike<A>
  ): Effect.Effect<A, ClientError, ClientMap>
  stream<A>(
    config: ClientConfig,
    f: (client: Chat, signal: AbortSignal) => PromiseLike<AsyncIterable<A>>
  ): Stream.Stream<A, ClientError, ClientMap>
}

export const question = (content: string): Question => ({ model: "test-model", messages: [{ role: "user", content }] })

/** The answer's text. */
export const ask = async (client: Chat, prompt = "hello"): Promise<string> => {
  const completion = (await client.chat.completions.create(question(prompt))) as Completion
  return completion.choices?.[0]?.message?.content ?? ""
}

const contentOf = (piece: unknown): Option.Option<string> =>
  Option.filter(Option.fromNullable((piece as Piece).choices?.[0]?.delta?.content), (content) => content !== "")

export const subject = <Name extends string>(
  name: Name,
  door: Door,
  variables: (sandbox: Place, key: string) => ReadonlyArray<readonly [string, string]>
) => {
  const within = <A, E, R>(sandbox: Place, key: string, effect: Effect.Effect<A, E, R>) =>
    Effect.withConfigProvider(effect, ConfigProvider.fromMap(new Map(variables(sandbox, key))))
  return {
    name,
    get: door.get,
    use: door.use,
    streamWith: door.stream,
    /** A config against the sandbox, which trusts its certificate. */
    config: (sandbox: Place, options: CommonOptions & { readonly key?: string } = {}) => {
      const { key = "sk-test", ...more } = options
      const transport = { ca: sandbox.ca, ...more.transport }
      return within(sandbox, key, door.config({ apiKey: Redacted.make(key), ...more, transport }))
    },
    ask: (config: ClientConfig, prompt?: string) => door.use(config, (client) => ask(client, prompt)),
    /** The pieces of a streamed answer. */
    stream: (config: ClientConfig, prompt = "hello") =>
      Stream.filterMap(
        door.stream(config, (client) => client.chat.completions.create({ ...question(prompt), stream: true })),
        contentOf
      )
  }
}

export type Subject = ReturnType<typeof subject<"openai" | "azure" | "groq" | "cerebras">>

export const subjects: ReadonlyArray<Subject> = [
  subject("openai", OpenAiClient, (sandbox, key) => [
    ["OPENAI_API_KEY", key],
    ["OPENAI_BASE_URL", sandbox.baseURL("openai")]
  ]),
  subject("azure", AzureOpenAiClient, (sandbox, key) => [
    ["AZURE_OPENAI_API_KEY", key],
    ["AZURE_OPENAI_ENDPOINT", sandbox.baseURL("azure")],
    ["OPENAI_API_VERSION", "2024-10-21"]
  ]),
  subject("groq", GroqClient, (sandbox, key) => [
    ["GROQ_API_KEY", key],
    ["GROQ_BASE_URL", sandbox.baseURL("groq")]
  ]),
  subject("cerebras", CerebrasClient, (sandbox, key) => [
    ["CEREBRAS_API_KEY", key],
    ["CEREBRAS_BASE_URL", sandbox.baseURL("cerebras")]
  ])
]
