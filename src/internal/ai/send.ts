/** A model's requests, through the direct door: JSON out, and JSON or events back. Interruption aborts them. */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { Span } from "effect/Tracer"
import type { ClientConfig } from "../../ClientConfig.ts"
import type { ClientError } from "../../ClientError.ts"
import type { Service } from "../../ClientMap.ts"
import { type AnswerFormat, type ReadCall, reported, valueOf } from "../direct/answer.ts"
import type { Api } from "../direct/apis.ts"
import { type ApiCall, readEvents } from "../direct/calls.ts"
import type { EventFormat } from "../direct/events.ts"
import { urlOf, write } from "../direct/request.ts"
import { send, type Sender } from "../direct/send.ts"
import { streaming } from "../direct/streaming.ts"
import { OWN, type Own } from "../request/pooledFetch.ts"
import { property } from "../util/json.ts"

/** Client map, API and config of a model's requests. */
export interface ModelSender<P extends string, Extra extends string> {
  readonly map: Service
  readonly api: Api<P, Extra>
  readonly config: ClientConfig<P>
  /** Below the base URL. */
  readonly path: string
}

export type ModelBody = Readonly<Record<string, unknown>>

/** A call as it is sent. `span` records its attempts. @default the span of the fiber */
export interface ModelCall {
  readonly body: ModelBody
  readonly span?: Span | undefined
}

/** Models meter their calls, and make spans of them. */
const metered: Own = { isMetered: true }

/** The message of a refusal is the error's own, for all providers. */
const answers: AnswerFormat = { hasRequestId: false, isNested: true }

/** The failure under a status of success: an `error`, and of the Responses API an event or a part of one. */
const failureIn = (value: unknown): unknown => {
  const failure =
    property(value, "error") ??
    property(property(value, "response"), "error") ??
    (property(value, "type") === "error" ? value : undefined)
  return typeof failure === "string" ? { message: failure } : (failure ?? undefined)
}

const events: EventFormat = { failureIn }

const read = async (response: Response, call: ReadCall): Promise<unknown> => {
  const value = await valueOf(call, answers, response)
  const failure = failureIn(value)
  if (failure !== undefined) throw reported(call, failure)
  return value
}

export const make = <P extends string, Extra extends string>({ api, config, map, path }: ModelSender<P, Extra>) => {
  const sender: Sender<P, Extra> = { map, provider: api.provider, config, last: undefined }

  const call = <A>({ body, span }: ModelCall, read: ApiCall<A>["read"]): ApiCall<A> => {
    const { init, url } = write(api, config, { method: "POST", path, body })
    return { written: { url, init: { ...init, [OWN]: metered } }, read, span }
  }

  return {
    /** One answer to the call that `make` gives when its turn has come. */
    json: (make: () => ModelCall): Effect.Effect<unknown, ClientError> => send(sender, () => call(make(), read)),
    /** An answer's events as they come; the request lives as long as the stream, and back-pressure reaches the provider. */
    events: (body: ModelBody): Stream.Stream<unknown, ClientError> =>
      streaming((note) => send(sender, () => note(call({ body }, readEvents(answers, events))))),
    /** The URL of a request, for its errors. */
    url: (body: ModelBody): string => urlOf(api, config, path, body)
  }
}
