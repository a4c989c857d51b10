import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ClientConfig } from "../../ClientConfig.ts"
import { PoolError } from "../../ClientError.ts"
import type { Definition } from "../../Provider.ts"
import * as Accounts from "../request/keyPool.ts"
import * as Attempts from "../telemetry/attempts.ts"
import * as ClientFetch from "../request/clientFetch.ts"
import * as SdkLog from "../sdk/sdkLog.ts"
import { exactHeaders, hiddenOf, PLACEHOLDER, scrub } from "../redaction/redact.ts"
import * as Calls from "../telemetry/calls.ts"
import { serverOf } from "../telemetry/requests.ts"
import { BuildContext } from "./buildContext.ts"
import { MAX_TIMEOUT_MS } from "../util/timers.ts"

export const layer = <I, Client, P extends string, Extra extends string>(
  definition: Definition<I, Client, P, Extra>,
  config: ClientConfig<P>
): Layer.Layer<I, PoolError, BuildContext> =>
  Layer.scoped(
    definition.tag,
    Effect.gen(function* () {
      const wiring = yield* BuildContext
      const place = { provider: config.provider, baseURL: config.baseURL }
      const { activity, isExported, quotas, ticker, transport } = wiring
      for (const quota of quotas) yield* quota.join(config.quota)
      const accounts = yield* Accounts.of(place, config, quotas)
      const hidden = hiddenOf(config)
      const logger = yield* SdkLog.toEffect(config.provider, (text) =>
        accounts.known().reduce((rest, secret) => scrub(rest, secret, hidden), text)
      )
      const outlet = ClientFetch.make({
        place,
        transport,
        accounts,
        authorize: definition.authorize,
        headers: config.headers,
        hidden,
        lease: wiring.lease,
        isClosed: wiring.isClosed,
        timeouts: { headers: config.timeout, body: config.bodyTimeout },
        deadline: config.deadline,
        maxRetries: config.maxRetries,
        retryAmbiguous: config.retryAmbiguous,
        maxRetryAfter: config.maxRetryAfter,
        prints: definition.printsEvents === true,
        queueTimeout: config.queueTimeout,
        ticker,
        recorder: Attempts.make(place.provider, transport.origin, isExported),
        calls: Calls.make(place.provider, serverOf(transport.origin), isExported),
        note: (oddity) => wiring.unclassified.note(place, oddity),
        count: (change) => {
          activity.requests += change
        }
      })
      // Before its share of the limits goes, which would let those go who wait for it.
      yield* Effect.addFinalizer(() => Effect.sync(outlet.close))
      wiring.opened(outlet)
      return yield* Effect.try({
        try: () =>
          definition.construct(
            {
              baseURL: config.baseURL,
              apiKey: PLACEHOLDER,
              fetch: outlet.fetch,
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
    })
  )
