/** Sends calls, each as one step of its fiber: a lease and a request; interruption aborts it. No lease is held in between. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"
import type { ClientConfig } from "../../ClientConfig.ts"
import type { ClientError } from "../../ClientError.ts"
import type { Service } from "../../ClientMap.ts"
import type { Provider } from "../../Provider.ts"
import { agentSourcesOf } from "../client/agentSources.ts"
import type { Bare } from "../client/bareProviders.ts"
import * as AgentCall from "../request/agentCall.ts"
import * as CallContext from "../request/callContext.ts"
import * as Failure from "../request/errors/fromSdk.ts"
import { OWN, type Own, type PooledFetch } from "../request/pooledFetch.ts"
import type { StartQueue } from "../request/startQueue.ts"
import * as Spans from "../telemetry/effectSpans.ts"
import { abortable } from "../util/abortable.ts"
import { Cancellation } from "../wire/cancellation.ts"
import type { ApiCall } from "./calls.ts"

/** Sends the calls of a config. */
export interface Sender<P extends string = string, Extra extends string = string> {
  readonly map: Service
  readonly provider: Provider<Bare, Bare, P, Extra>
  readonly config: ClientConfig<P>
  /** While this client stands, and nobody waits in line, a request takes its lease in one call. */
  last: Outlet | undefined
}

interface Outlet {
  readonly fetch: PooledFetch
  /** @default nobody stands in line */
  readonly starts?: StartQueue
}

/** A call to be written when it is sent: agents that stand in line hold no text of it. */
interface UnsentCall<A> {
  readonly sender: Pick<Sender, "last">
  /** Throws a ClientError. */
  readonly make: () => ApiCall<A>
}

type Fetch = PooledFetch["tryFetch"]
type Resume<A> = (effect: Effect.Effect<A, ClientError>) => void

/** One request through a client. False if the client has gone, and nothing was begun. */
const request = <A>(
  fetch: Fetch,
  { read, written: { init, url } }: ApiCall<A>,
  place: Failure.ErrorOrigin,
  context: CallContext.CallContext,
  resume: Resume<A>
): boolean => {
  const own: Own = { ...init[OWN], call: context }
  const sent = fetch(url, { ...init, [OWN]: own } as RequestInit)
  if (sent === undefined) return false
  sent
    .then((response) => read(response, { place, attempts: context.attempts, context }))
    .then(
      (answer) => resume(Effect.succeed(answer)),
      (thrown: unknown) => resume(Effect.fail(Failure.fromThrown(place, thrown, context)))
    )
  return true
}

/** The same below the span of the call. The result aborts it, and is `undefined` if nothing was begun. */
const requestWithin = <A>(
  fetch: Fetch,
  call: ApiCall<A>,
  { fiber, place, start }: AgentCall.StartedCall,
  resume: Resume<A>
): AgentCall.Abort | undefined => {
  const { span } = call
  const around = span ?? fiber.currentSpan
  const cancellation = new Cancellation()
  const context = CallContext.make(cancellation, around, Spans.tracing(fiber, around), start)
  const run = () => request(fetch, call, place, context, resume)
  const isBegun = span === undefined ? run() : Spans.within(fiber, span, run)
  if (!isBegun) return undefined
  return () => {
    cancellation.cancel()
    return Effect.void
  }
}

const isDone = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Exit<A, E> => Exit.isExit(effect)

const nothingToAbort: AgentCall.Abort = () => Effect.void

/** Calls whose turn has come. */
const work: AgentCall.Work<UnsentCall<unknown>, unknown> = {
  begin: ({ make, sender }, { fetch, starts }, call, ended) => {
    const over = (outlet: PooledFetch): AgentCall.Abort => {
      sender.last = { fetch: outlet, starts }
      try {
        return requestWithin(outlet.fetch, make(), call, ended) ?? nothingToAbort
      } catch (error) {
        ended(Effect.fail(Failure.fromThrown(call.place, error)))
        return nothingToAbort
      }
    }
    // As nearly always; not so for clients that a layer made.
    if (isDone(fetch) && Exit.isSuccess(fetch)) return over(fetch.value)
    let abort = nothingToAbort
    const cancel = Effect.runCallback(fetch, {
      onExit: (exit) => {
        if (Exit.isSuccess(exit)) abort = over(exit.value)
        else ended(exit)
      }
    })
    return () => {
      cancel()
      return abort()
    }
  }
}

/** Sends a call through a client that has to be looked up first, and built, if nobody has it, or when its turn has come. */
const sendLater = <P extends string, Extra extends string, A>(
  fiber: RuntimeFiber<unknown, unknown>,
  sender: Sender<P, Extra>,
  make: () => ApiCall<A>
): Effect.Effect<A, ClientError> => {
  const { config, map, provider } = sender
  const source = agentSourcesOf(map.useOutlet)?.outlet(provider, config)
  if (source !== undefined) {
    return AgentCall.use(source, fiber, work as AgentCall.Work<UnsentCall<A>, A>, { sender, make })
  }
  return written(config, make, (call) =>
    map.useOutlet(provider, config, (outlet) =>
      Effect.async<A, ClientError>((resume) => {
        sender.last = { fetch: outlet }
        const abort = requestWithin(outlet.fetch, call, { place: config, fiber }, resume)
        return Effect.suspend(abort ?? nothingToAbort)
      })
    )
  )
}

/** Runs `f` with the call that `make` gives, or fails with the error that it throws. */
const written = <A, B>(
  place: Failure.ErrorOrigin,
  make: () => ApiCall<A>,
  f: (call: ApiCall<A>) => Effect.Effect<B, ClientError>
): Effect.Effect<B, ClientError> => {
  let call: ApiCall<A>
  try {
    call = make()
  } catch (error) {
    return Effect.fail(Failure.fromThrown(place, error))
  }
  return f(call)
}

/** Sends the call that `make` gives or throws, which it does when its turn has come. */
export const send = <P extends string, Extra extends string, A>(
  sender: Sender<P, Extra>,
  make: () => ApiCall<A>
): Effect.Effect<A, ClientError> =>
  Effect.withFiberRuntime((fiber) => {
    const { config, last } = sender
    if (last === undefined || last.starts?.isBusy() === true) return sendLater(fiber, sender, make)
    return written(config, make, (call) =>
      abortable<A, ClientError>((resume) => {
        const abort = requestWithin(last.fetch.tryFetch, call, { place: config, fiber }, resume)
        if (abort === undefined) resume(sendLater(fiber, sender, make))
        return abort
      })
    )
  })
