/** The functions of an API as Effects: a lease and a request for each call; interruption aborts it. */
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ClientConfig, Options } from "../../ClientConfig.ts"
import type { ClientError } from "../../ClientError.ts"
import { ClientMap, type Service } from "../../ClientMap.ts"
import * as call from "../request/call.ts"
import type { PooledFetch } from "../request/pooledFetch.ts"
import * as Failure from "../request/errors/fromSdk.ts"
import type { Api } from "./apis.ts"
import type { Batches } from "./batches.ts"
import * as Exchange from "./exchange.ts"
import type { ApiRequest, CallOptions } from "./options.ts"

/** Nothing was begun. */
const unsent: unique symbol = Symbol()

/** Sends the exchanges of a config. Between requests it holds no lease. */
interface Sender {
  readonly run: <A>(exchange: Exchange.Exchange<A>) => Effect.Effect<A, ClientError>
}

const makeSender = <P extends string, Extra extends string>(
  { provider }: Api<P, Extra>,
  map: Service,
  config: ClientConfig<P>
): Sender => {
  /** While the client of the last request stands, the next takes its lease with it, in one call. */
  let last: PooledFetch | undefined

  const leased = <A>({ read, written: { init, url } }: Exchange.Exchange<A>): Effect.Effect<A, ClientError> =>
    map.useOutlet(provider, config, (outlet) => {
      last = outlet
      return call.promise(config, (signal) => read(outlet.fetch(url, { ...init, signal } as RequestInit)))
    })

  return {
    run: <A>(exchange: Exchange.Exchange<A>): Effect.Effect<A, ClientError> => {
      const known = last
      if (known === undefined) return leased(exchange)
      const { read, written } = exchange
      const attempt = call.promise(config, async (signal): Promise<A | typeof unsent> => {
        const sent = known.tryFetch(written.url, { ...written.init, signal } as RequestInit)
        return sent === undefined ? unsent : read(sent)
      })
      return Effect.flatMap(attempt, (answer) => {
        if (answer !== unsent) return Effect.succeed(answer)
        if (last === known) last = undefined
        return leased(exchange)
      })
    }
  }
}

const senders = new WeakMap<Service, WeakMap<ClientConfig, Sender>>()

const senderOf = <P extends string, Extra extends string>(
  api: Api<P, Extra>,
  map: Service,
  config: ClientConfig<P>
): Sender => {
  let ofMap = senders.get(map)
  if (ofMap === undefined) senders.set(map, (ofMap = new WeakMap()))
  let sender = ofMap.get(config)
  if (sender === undefined) ofMap.set(config, (sender = makeSender(api, map, config)))
  return sender
}

type Client<P extends string, Extra extends string> = Options<Extra> | ClientConfig<P> | undefined

/** Runs the exchange that `make` throws or gives. */
const running = <P extends string, Extra extends string, A>(
  api: Api<P, Extra>,
  client: Client<P, Extra>,
  make: (config: ClientConfig<P>) => Exchange.Exchange<A>
): Effect.Effect<A, ClientError, ClientMap> =>
  Effect.flatMap(ClientMap, (map) =>
    Effect.flatMap(api.provider.config(client), (config) => {
      let exchange
      try {
        exchange = make(config)
      } catch (error) {
        return Effect.fail(Failure.fromThrown(config, error))
      }
      return senderOf(api, map, config).run(exchange)
    })
  )

const END: unique symbol = Symbol()

/** `undefined` until its response has come. */
interface Opened {
  batches: Batches | undefined
}

const pull = (place: Failure.Place, batches: Batches): Effect.Effect<Chunk.Chunk<unknown> | typeof END, ClientError> =>
  Effect.async((resume) => {
    batches.next().then(
      (batch) => resume(Effect.succeed(batch === undefined ? END : Chunk.unsafeFromArray(batch))),
      (error: unknown) => resume(Effect.fail(Failure.fromThrown(place, error)))
    )
  })

/** One channel: the request is sent when it begins, and aborted when it ends before the answer has. */
const streaming = (
  place: Failure.Place,
  open: (opened: Opened) => Effect.Effect<Batches, ClientError, ClientMap>
): Stream.Stream<unknown, ClientError, ClientMap> => {
  type Out = Channel.Channel<Chunk.Chunk<unknown>, unknown, ClientError, unknown, void, unknown, ClientMap>
  const loop = (next: ReturnType<typeof pull>): Out =>
    Channel.flatMap(Channel.fromEffect(next), (chunk): Out =>
      chunk === END ? Channel.void : Channel.flatMap(Channel.write(chunk), () => loop(next))
    )
  return Stream.fromChannel(
    Channel.acquireUseRelease(
      Effect.sync((): Opened => ({ batches: undefined })),
      (opened): Out => Channel.flatMap(Channel.fromEffect(open(opened)), (batches) => loop(pull(place, batches))),
      ({ batches }) => Effect.sync(() => batches?.cancel())
    )
  )
}

/** The functions of a provider's module. Their public types are narrower. */
export const make = <P extends string, Extra extends string>(api: Api<P, Extra>) => ({
  chat: (client: Client<P, Extra>, body: unknown, options?: CallOptions) =>
    running(api, client, (config) => Exchange.chat(api, config, body, options)),
  chatStream: (client: Client<P, Extra>, body: unknown, options?: CallOptions) =>
    Stream.unwrap(
      Effect.map(api.provider.config(client), (config) =>
        streaming(config, (opened) =>
          running(api, config, () => {
            const exchange = Exchange.chatStream(api, config, body, options)
            return {
              ...exchange,
              read: async (sent) => (opened.batches = await exchange.read(sent))
            }
          })
        )
      )
    ),
  embeddings: (client: Client<P, Extra>, body: unknown, options?: CallOptions) =>
    running(api, client, (config) => Exchange.embeddings(api, config, body, options)),
  request: (client: Client<P, Extra>, request: ApiRequest) =>
    running(api, client, (config) => Exchange.request(api, config, request))
})
