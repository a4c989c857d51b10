/** The functions of an API as Effects: a lease and a request for each call; interruption aborts it. */
import * as Effect from "effect/Effect"
import type { ClientConfig, Options } from "../../ClientConfig.ts"
import type { ClientError } from "../../ClientError.ts"
import { ClientMap, type Service } from "../../ClientMap.ts"
import { isClientConfig } from "../config/value.ts"
import type { Api } from "./apis.ts"
import * as Calls from "./calls.ts"
import type { ApiRequest, CallOptions } from "./options.ts"
import { send, type Sender } from "./send.ts"
import { streaming } from "./streaming.ts"

type Client<P extends string, Extra extends string> = Options<Extra> | ClientConfig<P> | undefined

/** The functions of a provider's module. Their public types are narrower. */
export const make = <P extends string, Extra extends string>(api: Api<P, Extra>) => {
  const { provider } = api
  const senders = new WeakMap<Service, WeakMap<ClientConfig, Sender<P, Extra>>>()

  const senderOf = (map: Service, config: ClientConfig<P>): Sender<P, Extra> => {
    let ofMap = senders.get(map)
    if (ofMap === undefined) senders.set(map, (ofMap = new WeakMap()))
    let sender = ofMap.get(config)
    if (sender === undefined) ofMap.set(config, (sender = { map, provider, config, last: undefined }))
    return sender
  }

  const running = <A>(
    client: Client<P, Extra>,
    make: (config: ClientConfig<P>) => Calls.ApiCall<A>
  ): Effect.Effect<A, ClientError, ClientMap> =>
    Effect.flatMap(ClientMap, (map) =>
      isClientConfig(client) && client.provider === provider.id
        ? send(senderOf(map, client), () => make(client))
        : Effect.flatMap(provider.config(client), (config) => send(senderOf(map, config), () => make(config)))
    )

  return {
    /** Runs a call of one's own, for instance one that reads more of the answer. `make` may throw a ClientError. */
    call: running,
    chat: (client: Client<P, Extra>, body: unknown, options?: CallOptions) =>
      running(client, (config) => Calls.chat(api, config, body, options)),
    chatStream: (client: Client<P, Extra>, body: unknown, options?: CallOptions) =>
      streaming((note) => running(client, (config) => note(Calls.chatStream(api, config, body, options)))),
    embeddings: (client: Client<P, Extra>, body: unknown, options?: CallOptions) =>
      running(client, (config) => Calls.embeddings(api, config, body, options)),
    request: (client: Client<P, Extra>, request: ApiRequest) =>
      running(client, (config) => Calls.request(api, config, request))
  }
}
