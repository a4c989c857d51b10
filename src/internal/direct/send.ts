/** Sends calls, each as one step of its fiber: a lease and a request; interruption aborts it. No lease is held in between. */
import * as Effect from "effect/Effect"
import type { RuntimeFiber } from "effect/Fiber"
import type { AnySpan } from "effect/Tracer"
import type { ClientConfig } from "../../ClientConfig.ts"
import type { ClientError } from "../../ClientError.ts"
import type { Service } from "../../ClientMap.ts"
import type { Provider } from "../../Provider.ts"
import type { Bare } from "../client/bareProviders.ts"
import * as CallContext from "../request/callContext.ts"
import * as Failure from "../request/errors/fromSdk.ts"
import { OWN, type Own, type PooledFetch } from "../request/pooledFetch.ts"
import * as Spans from "../telemetry/effectSpans.ts"
import type { ApiCall } from "./calls.ts"

/** Sends the calls of a config. */
export interface Sender<P extends string = string, Extra extends string = string> {
  readonly map: Service
  readonly provider: Provider<Bare, Bare, P, Extra>
  readonly config: ClientConfig<P>
  /** While this client stands, a request takes its lease in one call. */
  last: PooledFetch | undefined
}

type Fiber = RuntimeFiber<unknown, unknown>
type Fetch = PooledFetch["tryFetch"]
type Resume<A> = (effect: Effect.Effect<A, ClientError>) => void

/** One request through a client: what aborts it, `undefined` if the client has gone, and nothing was begun. */
const begin = <A>(
  place: Failure.ErrorOrigin,
  fetch: Fetch,
  { read, written: { init, url } }: ApiCall<A>,
  context: CallContext.CallContext,
  resume: Resume<A>
): Effect.Effect<void> | undefined => {
  const controller = new AbortController()
  const { signal } = controller
  const own: Own = { ...init[OWN], call: context }
  const sent = fetch(url, { ...init, signal, [OWN]: own } as RequestInit)
  if (sent === undefined) return undefined
  sent
    .then((response) => read(response, { place, attempts: context.attempts, context }))
    .then(
      (answer) => resume(Effect.succeed(answer)),
      (thrown: unknown) => resume(Effect.fail(Failure.fromThrown(place, thrown, context)))
    )
  return Effect.sync(() => controller.abort())
}

const sendIn = <P extends string, Extra extends string, A>(
  fiber: Fiber,
  sender: Sender<P, Extra>,
  call: ApiCall<A>,
  span: AnySpan | undefined
): Effect.Effect<A, ClientError> => {
  const { config, last, map, provider } = sender
  const over = (fetch: Fetch, resume: Resume<A>): Effect.Effect<void> | undefined => {
    const around = span ?? fiber.currentSpan
    const context = CallContext.make(undefined, around, Spans.tracing(fiber, around))
    const run = () => begin(config, fetch, call, context, resume)
    return span === undefined ? run() : Spans.within(fiber, span, run)
  }
  /** Through a client that has to be looked up first, and built, if nobody has it. */
  const leased: Effect.Effect<A, ClientError> = Effect.suspend(() =>
    map.useOutlet(provider, config, (outlet) =>
      Effect.async<A, ClientError>((resume) => {
        sender.last = outlet
        return over(outlet.fetch, resume)
      })
    )
  )
  if (last === undefined) return leased
  return Effect.async<A, ClientError>((resume) => over(last.tryFetch, resume) ?? resume(leased))
}

/**
 * Sends the call that `make` gives or throws. `span` records its attempts, and is the parent of its requests.
 *
 * @default `span` is that of the fiber
 */
export const send = <P extends string, Extra extends string, A>(
  sender: Sender<P, Extra>,
  make: () => ApiCall<A>,
  span?: AnySpan
): Effect.Effect<A, ClientError> =>
  Effect.withFiberRuntime((fiber) => {
    try {
      return sendIn(fiber, sender, make(), span)
    } catch (error) {
      return Effect.fail(Failure.fromThrown(sender.config, error))
    }
  })
