/**
 * Limits shared by all holders of one credential, however many clients and agents they are: providers count by account,
 * so the account is limited. There is one quota for each provider, base URL, key, organization and project, with a
 * queue for each model; it lasts as long as a client that uses the credential, and if it holds requests back a minute
 * more, in which any budget fills up again.
 *
 * Requests to one model are sent in order of arrival. They wait while a minute's budget of requests or tokens is used
 * up, while `maxConcurrency` are in flight, and while the provider's Retry-After (or a rate limit header that says that
 * nothing remains) keeps the gate closed. After that time the first request is a probe, and the others follow as
 * responses arrive, not all at once. Waiting requests hold no socket and no budget, and their `timeout` has not begun.
 *
 * Limits are no part of a quota's identity: where configurations of one credential disagree, the tightest holds.
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ClientConfig } from "./ClientConfig.ts"
import * as Account from "./internal/quota/credentialLimiter.ts"
import type { Demand } from "./internal/quota/demand.ts"
import type { Waiting } from "./internal/quota/waiter.ts"
import * as Limits from "./internal/quota/limits.ts"
import type { Permit } from "./internal/quota/permit.ts"
import * as internal from "./internal/quota/storeTag.ts"
import * as Ticker from "./internal/util/ticker.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type { AdaptiveOptions, QuotaOptions as Options } from "./internal/config/quotaOptions.ts"

/**
 * The store that counts budgets. Without one each process counts for itself; `QuotaRedis.layer` provides one that many
 * processes share. It is read when the client layer is built, so provide it to that layer.
 *
 * @since 0.1.0
 * @category tags
 */
export const Store: typeof internal.Store = internal.Store

/**
 * @since 0.1.0
 * @category tags
 */
export type Store = internal.Store

/**
 * The requests of one credential to one model at this moment.
 *
 * @since 0.1.0
 * @category models
 */
export interface ModelStats {
  /** As the requests name it, for Azure the deployment; empty for requests that have none, such as uploads. */
  readonly model: string
  /** Requests that hold a permit: on the wire, or waiting for a socket. */
  readonly inFlight: number
  /** Requests that wait for a permit, in the order in which they came. */
  readonly queued: number
  /** Requests that may be in flight now, `Infinity` without a limit. With `"adaptive"` it changes. */
  readonly limit: number
  /**
   * Requests left in this minute, `Infinity` without a limit. As this process counts them, also where others share the
   * budget.
   */
  readonly requestsLeft: number
  /** Tokens left in this minute, `Infinity` without a limit. */
  readonly tokensLeft: number
  /** Milliseconds since 1970 until which the provider wants no requests, `undefined` if it takes them. */
  readonly closedUntil: number | undefined
}

/**
 * The requests of one credential at this moment.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** Sum over all models. */
  readonly inFlight: number
  /** Sum over all models. */
  readonly queued: number
  /** Limit of each model, the tightest of all holders; `Infinity` for none. */
  readonly requestsPerMinute: number
  /** Limit of each model, the tightest of all holders; `Infinity` for none. */
  readonly tokensPerMinute: number
  readonly models: ReadonlyArray<ModelStats>
}

/**
 * The budget of one credential. The request path of every client goes through it; agents do not call it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Quota {
  /** Takes a permit if one is free and nobody waits for it. @internal */
  readonly tryEnter: (demand: Demand) => Permit | undefined
  /**
   * Takes a permit when its turn comes. Rejects with the signal's reason, or with why the request was turned away.
   * Resolves without a permit if the gate closed on a request that may as well use another credential.
   *
   * @internal
   */
  readonly enter: (demand: Demand, waiting: Waiting) => Promise<Permit | undefined>
  /** State of this credential for a request: refused by the provider, milliseconds until it opens, load. @internal */
  readonly outlook: (demand: Demand) => readonly [refused: number, opensIn: number, load: number]
  /** The provider refuses the whole credential, as the answer to this permit's request says. All who wait fail. @internal */
  readonly refuse: (permit: Permit, error: () => Error) => void
  /** Milliseconds for which a gate keeps such requests from going. @internal */
  readonly closedFor: (demand: Demand) => number
  /** Total of milliseconds for which gates have kept such requests back. @internal */
  readonly shutMs: (demand: Demand) => number
  /** The floor of the retry budget, `Infinity` for none. */
  readonly retriesPerSecond: () => number
  /** True if it knows nothing that would hold anybody back: no budget in use, no gate closed. */
  readonly isRested: () => boolean
  /** Adds a holder's limits for as long as the scope is open. The tightest of all holders apply; a disagreement is warned of once. */
  readonly join: (limits: ClientConfig["quota"]) => Effect.Effect<void, never, Scope.Scope>
  readonly stats: () => Stats
}

/**
 * A quota without limits until somebody joins with some. `name` says whose it is in the one warning about holders
 * that disagree; it must not be a secret. `digest` is what other processes know the credential by, if there is a store.
 * It keeps time by the fiber's Clock.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (name: string, digest: string = name): Effect.Effect<Quota> =>
  Effect.gen(function* () {
    const ticker = yield* Ticker.current
    const store = yield* internal.Store
    const account = Account.make(
      ticker,
      store === undefined
        ? () => undefined
        : (model) => ({ budget: store.budget(digest, model), isAvailable: store.isAvailable })
    )
    let warned = false
    const join = (limits: ClientConfig["quota"]) =>
      Effect.suspend(() => {
        const differs = [...account.holders()].some((one) => !Limits.equal(one, limits))
        const leave = account.join(limits)
        if (!differs || warned) return Effect.succeed(leave)
        warned = true
        return Effect.as(
          Effect.logWarning(
            `${name}: configurations of one credential have different quotas; the tightest applies: ` +
              Limits.describe(account.limits())
          ),
          leave
        )
      })
    return {
      tryEnter: (demand) => account.lane(demand.model).tryEnter(demand),
      enter: (demand, waiting) => account.lane(demand.model).enter(demand, waiting),
      outlook: (demand) => {
        const lane = account.lane(demand.model)
        return [account.isRefused() ? 1 : 0, lane.opensIn(demand), lane.load]
      },
      refuse: account.refuse,
      retriesPerSecond: () => account.limits().retriesPerSecond,
      closedFor: (demand) => account.lane(demand.model).closedFor(ticker.now()),
      shutMs: (demand) => account.lane(demand.model).shutMs(ticker.now()),
      isRested: account.isRested,
      join: (limits) => Effect.asVoid(Effect.acquireRelease(join(limits), (leave) => Effect.sync(leave))),
      stats: () => {
        const models = account.stats()
        const { requestsPerMinute, tokensPerMinute } = account.limits()
        return {
          requestsPerMinute,
          tokensPerMinute,
          inFlight: models.reduce((sum, { inFlight }) => sum + inFlight, 0),
          queued: models.reduce((sum, { queued }) => sum + queued, 0),
          models
        }
      }
    }
  })
