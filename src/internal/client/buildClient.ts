/** Builds a provider's client: the pooled `fetch` of a config, and the SDK's client over it. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ClientConfig } from "../../ClientConfig.ts"
import { PoolError } from "../../ClientError.ts"
import type { Built, Definition, Deps } from "../../Provider.ts"
import * as KeyPool from "../request/keyPool.ts"
import * as Attempts from "../telemetry/attempts.ts"
import * as ClientFetch from "../request/clientFetch.ts"
import { boundsOf } from "./startBounds.ts"
import { startQueueOf } from "../request/startQueue.ts"
import * as SdkLog from "../sdk/sdkLog.ts"
import { exactHeaders, hiddenOf, PLACEHOLDER, scrub } from "../redaction/redact.ts"
import { Exported } from "../otel/exported.ts"
import * as Calls from "../telemetry/calls.ts"
import { serverOf } from "../telemetry/requests.ts"
import * as Ticker from "../util/ticker.ts"
import { MAX_TIMEOUT_MS } from "../util/timers.ts"

const placeOf = ({ baseURL, provider }: ClientConfig) => ({ provider, baseURL })

/** Closes with the scope: requests that wait are then refused. */
const makeFetch = <I, Client, P extends string, Extra extends string>(
  definition: Definition<I, Client, P, Extra>,
  config: ClientConfig<P>,
  deps: Deps,
  keyPool: KeyPool.KeyPool
): Effect.Effect<ClientFetch.Closeable, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { transport } = deps
    const place = placeOf(config)
    const isExported = yield* Exported
    const ticker = yield* Ticker.current
    const fetch = ClientFetch.make({
      place,
      transport,
      keyPool,
      authorize: definition.authorize,
      headers: config.headers,
      hidden: hiddenOf(config),
      lease: deps.lease,
      isClosed: deps.isClosed,
      timeouts: { headers: config.timeout, body: config.bodyTimeout },
      deadline: config.deadline,
      maxRetries: config.maxRetries,
      retryAmbiguous: config.retryAmbiguous,
      maxRetryAfter: config.maxRetryAfter,
      prints: definition.printsEvents === true,
      queueTimeout: config.queueTimeout,
      starts: startQueueOf(transport.pool, deps.quotas[0] ?? transport, ticker),
      startBounds: boundsOf(config),
      ticker,
      recorder: Attempts.make(place.provider, transport.origin, isExported),
      calls: Calls.make(place.provider, serverOf(transport.origin), isExported),
      note: deps.noteUnclassified,
      count: deps.countRequests
    })
    // Before its share of the limits goes, which would let those go who wait for it.
    yield* Effect.addFinalizer(() => Effect.sync(fetch.close))
    return fetch
  })

export const build = <I, Client, P extends string, Extra extends string>(
  definition: Definition<I, Client, P, Extra>,
  config: ClientConfig<P>,
  deps: Deps
): Effect.Effect<Built<Client>, PoolError, Scope.Scope> =>
  Effect.gen(function* () {
    const place = placeOf(config)
    for (const quota of deps.quotas) yield* quota.join(config.quota)
    const keyPool = yield* KeyPool.make(place, config, deps.quotas)
    const hidden = hiddenOf(config)
    const logger = yield* SdkLog.toEffect(config.provider, (text) =>
      keyPool.known().reduce((rest, secret) => scrub(rest, secret, hidden), text)
    )
    const fetch = yield* makeFetch(definition, config, deps, keyPool)
    const client = yield* Effect.try({
      try: () =>
        definition.construct(
          {
            baseURL: config.baseURL,
            apiKey: PLACEHOLDER,
            fetch: fetch.fetch,
            timeout: MAX_TIMEOUT_MS,
            maxRetries: 0,
            defaultHeaders: exactHeaders(definition.spec.env?.headers, config.headers),
            defaultQuery: { ...config.query },
            logger
          },
          config
        ),
      catch: (cause) =>
        new PoolError({
          ...place,
          reason: "Construct",
          detail: `the SDK's constructor threw: ${cause instanceof Error ? cause.message : String(cause)}`,
          cause
        })
    })
    return { client, fetch }
  })
