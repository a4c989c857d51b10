/**
 * A model's requests over a provider's pooled fetch, without the SDK between: JSON out, and JSON or events back. Quotas,
 * retries, credentials and sockets are the fetch's business; interruption aborts what is under way.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ClientConfig } from "../../ClientConfig.ts"
import type { ClientError } from "../../ClientError.ts"
import type { Service } from "../../ClientMap.ts"
import type { Provider } from "../../Provider.ts"
import type { Bare } from "../bareProviders.ts"
import * as call from "../call.ts"
import { type Outlet, OWN, type Own } from "../outlet.ts"
import * as Events from "./events.ts"

/** Whose requests they are. */
export interface Sender<P extends string = string, Extra extends string = string> {
  readonly map: Service
  readonly provider: Provider<Bare, Bare, P, Extra>
  readonly config: ClientConfig<P>
  /** Whether whoever sends requests meters the calls that they are. */
  readonly isMetered: boolean
}

export interface Request {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: object
}

/** What the boundary of SDK errors knows, for it is the same answer. */
const refusal = async ({ headers, status }: Response, text: Promise<string>): Promise<Error> => {
  const error = Events.parsed(await text)
  const said = Events.messageOf(error) ?? (typeof error === "string" ? error : JSON.stringify(error))
  return Object.assign(new Error(`${status} ${said === "" ? "with nothing in it" : said}`), { status, headers, error })
}

const post = async (outlet: Outlet, own: Own, request: Request, signal: AbortSignal): Promise<Response> => {
  const { body, headers, url } = request
  const init = { method: "POST", headers, body: JSON.stringify(body), signal, [OWN]: own }
  const response = await outlet.fetch(url, init)
  if (response.status >= 400) throw await refusal(response, response.text())
  return response
}

/** One answer. */
export const json = <P extends string, Extra extends string>(
  { config, isMetered, map, provider }: Sender<P, Extra>,
  request: Request
): Effect.Effect<unknown, ClientError> =>
  map.useOutlet(provider, config, (outlet) =>
    call.promise(config, async (signal): Promise<unknown> => {
      const said: unknown = await (await post(outlet, { isMetered }, request, signal)).json()
      return typeof said === "object" && said !== null ? Events.checked(config, said) : said
    })
  )

/** An answer's events as they come; the request lives as long as the stream, and back-pressure reaches the provider. */
export const events = <P extends string, Extra extends string>(
  { config, isMetered, map, provider }: Sender<P, Extra>,
  request: Request
): Stream.Stream<unknown, ClientError> =>
  Stream.unwrapScoped(
    Effect.map(map.outlet(provider, config), (outlet) =>
      call.stream(config, async (signal) => Events.of(config, await post(outlet, { isMetered }, request, signal)))
    )
  )
