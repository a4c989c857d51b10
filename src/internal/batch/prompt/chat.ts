/** One chat over a provider's direct door, and the number of times it was sent. */
import * as Effect from "effect/Effect"
import type { ClientConfig } from "../../../ClientConfig.ts"
import type { ClientError, OptionsError } from "../../../ClientError.ts"
import type { ClientMap } from "../../../ClientMap.ts"
import * as apis from "../../direct/apis.ts"
import * as specs from "../../config/specs.ts"
import * as calls from "../../direct/calls.ts"
import * as effects from "../../direct/effects.ts"
import { PATIENCE } from "../patience.ts"

export interface ChatAnswer {
  readonly answer: unknown
  readonly attempts: number
}

/** The chats of one client. */
export interface Chat {
  readonly provider: string
  readonly baseURL: string
  /** True if the base URL is the provider's own, for which its prices hold. */
  readonly isOwnURL: boolean
  /** Options of the provider that change its answers. */
  readonly extra: Readonly<Record<string, string | undefined>>
  readonly send: (body: object) => Effect.Effect<ChatAnswer, ClientError, ClientMap>
}

const isPromise = (value: unknown): value is Promise<unknown> => value instanceof Promise

const chatOf = <P extends string, Extra extends string>(api: apis.Api<P, Extra>, ownURL: string | undefined) => {
  const { call } = effects.make(api)
  const { provider } = api
  return (client: object): Effect.Effect<Chat, OptionsError> =>
    Effect.map(provider.config({ ...PATIENCE, ...client } as never), (config: ClientConfig<P>) => ({
      provider: provider.id,
      baseURL: config.baseURL,
      isOwnURL: config.baseURL === ownURL,
      extra: config.extra,
      send: (body) =>
        call(config, (config) => {
          const { read, written } = calls.chat(api, config, body)
          return {
            written,
            read: (response, call): ChatAnswer | PromiseLike<ChatAnswer> => {
              const answer = read(response, call)
              const { attempts } = call
              // Most answers are there at once, and need no promise of their own.
              return isPromise(answer) ? answer.then((answer) => ({ answer, attempts })) : { answer, attempts }
            }
          }
        })
    }))
}

export const providers: Readonly<Record<string, (client: object) => Effect.Effect<Chat, OptionsError>>> = {
  openai: chatOf(apis.openai, specs.openai.baseURL),
  azure: chatOf(apis.azure, undefined),
  groq: chatOf(apis.groq, specs.groq.baseURL),
  cerebras: chatOf(apis.cerebras, specs.cerebras.baseURL)
}
