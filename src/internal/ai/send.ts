/**
 * A model's requests over a provider's pooled fetch, without the SDK between: JSON out, and JSON or events back. Quotas,
 * retries, credentials and sockets are the fetch's business; interruption aborts what is under way.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Span } from "effect/Tracer"
import type { ClientConfig } from "../../ClientConfig.ts"
import type { ClientError } from "../../ClientError.ts"
import type { Service } from "../../ClientMap.ts"
import type { Provider } from "../../Provider.ts"
import type { Bare } from "../client/bareProviders.ts"
import * as call from "../request/call.ts"
import * as callStream from "../request/callStream.ts"
import { type PooledFetch, OWN, type Own } from "../request/pooledFetch.ts"
import * as Events from "./events.ts"
import { jsonOrText } from "../util/json.ts"

/** Client map, provider and config of a model's requests. */
export interface ModelSender<P extends string = string, Extra extends string = string> {
  readonly map: Service
  readonly provider: Provider<Bare, Bare, P, Extra>
  readonly config: ClientConfig<P>
}

export interface Request {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: object
}

/** Error of a failed response, with the fields that the boundary of SDK errors reads: it is the same response. */
const refusal = async ({ headers, status }: Response, text: Promise<string>): Promise<Error> => {
  const error = jsonOrText(await text)
  const said = Events.messageOf(error) ?? (typeof error === "string" ? error : JSON.stringify(error))
  return Object.assign(new Error(`${status} ${said === "" ? "with an empty body" : said}`), { status, headers, error })
}

/** Models meter their calls, and make spans of them. */
const own: Own = { isMetered: true }

const initOf = ({ body, headers }: Request, signal: AbortSignal) => ({
  method: "POST",
  headers,
  body: JSON.stringify(body),
  signal,
  [OWN]: own
})

const accepted = async (sent: Promise<Response>): Promise<Response> => {
  const response = await sent
  if (response.status >= 400) throw await refusal(response, response.text())
  return response
}

/** Nothing was begun. */
const unsent: unique symbol = Symbol()

/** Between requests it holds no lease. While the client of the last request stands, the next takes its own in one call. */
export const make = <P extends string, Extra extends string>(sender: ModelSender<P, Extra>) => {
  const { config, map, provider } = sender
  let last: PooledFetch | undefined

  const read = async (sent: Promise<Response>): Promise<unknown> => {
    const said: unknown = await (await accepted(sent)).json()
    return typeof said === "object" && said !== null ? Events.checked(config, said) : said
  }

  /** Through a client that has to be looked up first, and built, if nobody has it. */
  const leased = (request: Request, span: Span | undefined): Effect.Effect<unknown, ClientError> =>
    map.useOutlet(provider, config, (pooledFetch) => {
      last = pooledFetch
      return call.promise(config, (signal) => read(pooledFetch.fetch(request.url, initOf(request, signal))), span)
    })

  return {
    /** One answer. `span` is where attempts are told. @default the span of the fiber */
    json: (request: Request, span?: Span): Effect.Effect<unknown, ClientError> => {
      const again = (): Effect.Effect<unknown, ClientError> => leased(request, span)
      const known = last
      if (known === undefined) return Effect.suspend(again)
      const said = call.promise(
        config,
        async (signal): Promise<unknown> => {
          const sent = known.tryFetch(request.url, initOf(request, signal))
          return sent === undefined ? unsent : read(sent)
        },
        span
      )
      return Effect.flatMap(said, (said) => (said === unsent ? again() : Effect.succeed(said)))
    },
    /** An answer's events as they come; the request lives as long as the stream, and back-pressure reaches the provider. */
    events: (request: Request): Stream.Stream<unknown, ClientError> =>
      Stream.unwrapScoped(
        Effect.map(map.pooledFetch(provider, config), (pooledFetch) =>
          callStream.stream(config, async (signal) =>
            Events.decode(config, await accepted(pooledFetch.fetch(request.url, initOf(request, signal))))
          )
        )
      )
  }
}
