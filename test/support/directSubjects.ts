/** The providers without an SDK between, seen as clients of SDKs: for suites that take any client. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ClientConfig } from "../../src/ClientConfig.ts"
import type { ClientError } from "../../src/ClientError.ts"
import { ClientMap, type Service } from "../../src/ClientMap.ts"
import * as Leasing from "../../src/internal/client/leasedFetch.ts"
import * as apis from "../../src/internal/direct/apis.ts"
import { make, type PromiseApi } from "../../src/internal/direct/promises.ts"
import * as call from "../../src/internal/request/call.ts"
import * as callStream from "../../src/internal/request/callStream.ts"
import { type Chat, type Subject, subjects } from "./providers.ts"

interface Options {
  readonly signal?: AbortSignal
  readonly body?: object
  readonly headers?: Record<string, string>
}

const clientOf = ({ chat, chatStream, request }: PromiseApi) =>
  ({
    chat: {
      completions: {
        create: (body: { readonly stream?: boolean }, options?: Options) =>
          body.stream === true ? Promise.resolve(chatStream(body, options)) : chat(body, options)
      }
    },
    post: (path: string, options: Options) => request({ method: "POST", path, ...options })
  }) as unknown as Chat

const open = { shut: undefined }

const made = new WeakMap<Service, WeakMap<ClientConfig, PromiseApi>>()

/** The functions of a provider's API for code without Effect, over the client of a config. One object for each. */
export const apiOf = (name: Subject["name"], map: Service, config: ClientConfig): PromiseApi => {
  let ofMap = made.get(map)
  if (ofMap === undefined) made.set(map, (ofMap = new WeakMap()))
  let api = ofMap.get(config)
  if (api === undefined) ofMap.set(config, (api = makeApi(name, map, config)))
  return api
}

const makeApi = (name: Subject["name"], map: Service, config: ClientConfig): PromiseApi => {
  const fetch = <P extends string, Extra extends string>(api: apis.Api<P, Extra>): PromiseApi =>
    make(
      api,
      config as ClientConfig<P>,
      Leasing.make({ service: () => map }, open, api.provider, config as ClientConfig<P>),
      undefined
    )
  const all = {
    openai: () => fetch(apis.openai),
    azure: () => fetch(apis.azure),
    groq: () => fetch(apis.groq),
    cerebras: () => fetch(apis.cerebras)
  }
  return all[name]()
}

export const directSubjects: ReadonlyArray<Subject> = subjects.map((subject) => ({
  ...subject,
  use: <A>(
    config: ClientConfig,
    f: (client: Chat, signal: AbortSignal) => PromiseLike<A>
  ): Effect.Effect<A, ClientError, ClientMap> =>
    Effect.flatMap(ClientMap, (map) =>
      call.promise(config, (signal) => f(clientOf(apiOf(subject.name, map, config)), signal))
    ),
  streamWith: <A>(
    config: ClientConfig,
    f: (client: Chat, signal: AbortSignal) => PromiseLike<AsyncIterable<A>>
  ): Stream.Stream<A, ClientError, ClientMap> =>
    Stream.unwrap(
      Effect.map(ClientMap, (map) =>
        callStream.stream(config, (signal) => f(clientOf(apiOf(subject.name, map, config)), signal))
      )
    )
}))
