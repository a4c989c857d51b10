/** The functions of an API as Effects: a lease and a request for each call; interruption aborts it. */
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { RuntimeFiber } from "effect/Fiber"
import * as Stream from "effect/Stream"
import type { ClientConfig, Options } from "../../ClientConfig.ts"
import type { ClientError } from "../../ClientError.ts"
import { ClientMap, type Service } from "../../ClientMap.ts"
import { isClientConfig } from "../config/value.ts"
import * as CallContext from "../request/callContext.ts"
import type { PooledFetch } from "../request/pooledFetch.ts"
import * as Failure from "../request/errors/fromSdk.ts"
import * as Spans from "../telemetry/effectSpans.ts"
import type { Api } from "./apis.ts"
import { Batches } from "./batches.ts"
import * as Exchange from "./calls.ts"
import type { ApiRequest, CallOptions } from "./options.ts"

/** Sends the exchanges of a config. Between requests it holds no lease. */
interface Sender {
  /** While this client stands, a request takes its lease in one call. */
  last: PooledFetch | undefined
}

const senders = new WeakMap<Service, WeakMap<ClientConfig, Sender>>()

const senderOf = (map: Service, config: ClientConfig): Sender => {
  let ofMap = senders.get(map)
  if (ofMap === undefined) senders.set(map, (ofMap = new WeakMap()))
  let sender = ofMap.get(config)
  if (sender === undefined) ofMap.set(config, (sender = { last: undefined }))
  return sender
}

type Fiber = RuntimeFiber<unknown, unknown>
type Send = (url: string, init: RequestInit) => Promise<Response> | undefined

/** One attempt with a client, `undefined` if that has gone, and nothing was begun. */
const attempt = <A>(
  place: Failure.ErrorOrigin,
  fiber: Fiber,
  send: Send,
  { read, written }: Exchange.ApiCall<A>,
  controller: AbortController,
  resume: (effect: Effect.Effect<A, ClientError>) => void
): boolean => {
  const span = fiber.currentSpan
  const { signal } = controller
  const context = CallContext.make(signal, span, Spans.tracing(fiber, span))
  // The answer is read within it too: its failures tell how often the request was sent.
  const answered = CallContext.run(context, () =>
    send(written.url, { ...written.init, signal } as RequestInit)?.then(read)
  )
  if (answered === undefined) return false
  answered.then(
    (answer) => resume(Effect.succeed(answer)),
    (thrown: unknown) => resume(Effect.fail(Failure.fromThrown(place, thrown, context)))
  )
  return true
}

/** One step of the fiber, where the client of the last request still stands. */
const send = <P extends string, Extra extends string, A>(
  { provider }: Api<P, Extra>,
  map: Service,
  config: ClientConfig<P>,
  fiber: Fiber,
  exchange: Exchange.ApiCall<A>
): Effect.Effect<A, ClientError> => {
  const sender = senderOf(map, config)
  const leased: Effect.Effect<A, ClientError> = Effect.suspend(() =>
    map.useOutlet(provider, config, (outlet) =>
      Effect.async<A, ClientError>((resume) => {
        sender.last = outlet
        const controller = new AbortController()
        attempt(config, fiber, outlet.fetch, exchange, controller, resume)
        return Effect.sync(() => controller.abort())
      })
    )
  )
  const { last } = sender
  if (last === undefined) return leased
  return Effect.async<A, ClientError>((resume) => {
    const controller = new AbortController()
    if (attempt(config, fiber, last.tryFetch, exchange, controller, resume))
      return Effect.sync(() => controller.abort())
    return resume(leased)
  })
}

type Client<P extends string, Extra extends string> = Options<Extra> | ClientConfig<P> | undefined

/** Runs the exchange that `make` throws or gives. */
const running = <P extends string, Extra extends string, A>(
  api: Api<P, Extra>,
  client: Client<P, Extra>,
  make: (config: ClientConfig<P>) => Exchange.ApiCall<A>
): Effect.Effect<A, ClientError, ClientMap> => {
  const run = (fiber: Fiber, config: ClientConfig<P>): Effect.Effect<A, ClientError> => {
    try {
      return send(api, Context.unsafeGet(fiber.currentContext, ClientMap), config, fiber, make(config))
    } catch (error) {
      return Effect.fail(Failure.fromThrown(config, error))
    }
  }
  return Effect.withFiberRuntime<A, ClientError, ClientMap>((fiber) =>
    isClientConfig(client) && client.provider === api.provider.id
      ? run(fiber, client)
      : Effect.flatMap(api.provider.config(client), (config) => run(fiber, config))
  )
}

const END: unique symbol = Symbol()

/** `undefined` until its response has come. */
interface Opened {
  batches: Batches | undefined
}

const pull = (batches: Batches): Effect.Effect<Chunk.Chunk<unknown> | typeof END, ClientError> =>
  Effect.async((resume) => {
    batches.next().then(
      (batch) => resume(Effect.succeed(batch === undefined ? END : Chunk.unsafeFromArray(batch))),
      (error: unknown) => resume(Effect.fail(Failure.fromThrown(batches.place, error)))
    )
  })

/** One channel, since each that is put around another costs as much as a request. The request is sent when it begins, and aborted when it ends before the answer has. */
const streaming = (
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
      (opened): Out => Channel.flatMap(Channel.fromEffect(open(opened)), (batches) => loop(pull(batches))),
      ({ batches }) => Effect.sync(() => batches?.cancel())
    )
  )
}

/** The functions of a provider's module. Their public types are narrower. */
export const make = <P extends string, Extra extends string>(api: Api<P, Extra>) => ({
  /** Runs a call of one's own, for instance one that reads more of the answer. `make` may throw a ClientError. */
  call: <A>(
    client: Client<P, Extra>,
    make: (config: ClientConfig<P>) => Exchange.ApiCall<A>
  ): Effect.Effect<A, ClientError, ClientMap> => running(api, client, make),
  chat: (client: Client<P, Extra>, body: unknown, options?: CallOptions) =>
    running(api, client, (config) => Exchange.chat(api, config, body, options)),
  chatStream: (client: Client<P, Extra>, body: unknown, options?: CallOptions) =>
    streaming((opened) =>
      running(api, client, (config) => {
        const { read, written } = Exchange.chatStream(api, config, body, options)
        return {
          written,
          // In the turn in which it comes, so that whatever ends the stream finds it.
          read: (response) => {
            const batches = read(response)
            if (batches instanceof Batches) opened.batches = batches
            return batches
          }
        }
      })
    ),
  embeddings: (client: Client<P, Extra>, body: unknown, options?: CallOptions) =>
    running(api, client, (config) => Exchange.embeddings(api, config, body, options)),
  request: (client: Client<P, Extra>, request: ApiRequest) =>
    running(api, client, (config) => Exchange.request(api, config, request))
})
