/** A `fetch` to wherever a request goes: a client for each origin and credential, leased for each request. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import type { ClientConfig, CommonOptions } from "../../ClientConfig.ts"
import type { OptionsError } from "../../ClientError.ts"
import type { Service } from "../../ClientMap.ts"
import { http } from "../bareProviders.ts"

type Fetch = typeof globalThis.fetch

export type Options = Omit<CommonOptions, "apiKey" | "baseURL" | "headers" | "query">

/** Where credentials stand: OpenAI's and most others', Anthropic's, Azure's, Google's. */
const carriers = ["authorization", "x-api-key", "api-key", "x-goog-api-key"]

/** No text of a provider holds it, so that scrubbing it takes nothing away. */
const NOBODY = "held-by-nobody-in-clientele"

const credentialOf = (headers: Headers): string => {
  for (const name of carriers) {
    const value = headers.get(name)
    if (value !== null) return value
  }
  return NOBODY
}

/** Of these many origins and credentials the config is remembered; of others it is made again. */
const MOST = 1_024

type Config = ClientConfig<"http">

export const make = (service: Service, options: Options): Fetch => {
  const known = new Map<string, Config>()

  const configOf = (origin: string, credential: string): Effect.Effect<Config, OptionsError> => {
    const key = `${origin} ${credential}`
    const found = known.get(key)
    if (found !== undefined) return Effect.succeed(found)
    return Effect.tap(http.config({ ...options, baseURL: origin, apiKey: Redacted.make(credential) }), (config) =>
      Effect.sync(() => {
        const [oldest] = known.keys()
        if (known.size >= MOST && oldest !== undefined) known.delete(oldest)
        known.set(key, config)
      })
    )
  }

  const send = async (request: Request | string, init: RequestInit | undefined): Promise<Response> => {
    const isRequest = typeof request !== "string"
    const { origin } = new URL(isRequest ? request.url : request)
    const headers = new Headers(init?.headers ?? (isRequest ? request.headers : undefined))
    const scope = Effect.runSync(Scope.make())
    try {
      const leased = Effect.flatMap(configOf(origin, credentialOf(headers)), (config) => service.outlet(http, config))
      const signal = init?.signal
      const outlet = await Effect.runPromiseExit(Scope.extend(leased, scope), signal == null ? {} : { signal })
      if (Exit.isSuccess(outlet)) {
        // Not awaited: once it has begun, the request holds the client by itself.
        const sent = outlet.value.fetch(request, init)
        return sent
      }
      if (signal?.aborted === true) throw signal.reason as Error
      throw failureOf(outlet)
    } finally {
      Effect.runFork(Scope.close(scope, Exit.void))
    }
  }

  return (input, init) => send(input instanceof URL ? input.href : input, init)
}

const failureOf = (exit: Exit.Failure<unknown, unknown>): unknown => {
  const { cause } = exit
  return cause._tag === "Fail" ? cause.error : cause
}
