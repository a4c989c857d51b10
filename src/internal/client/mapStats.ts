/** The statistics of a client map. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as ClientConfig from "../../ClientConfig.ts"
import type { ClientStats, QuotaStats, Stats } from "../../ClientMap.ts"
import * as LeaseMap from "../../LeaseMap.ts"
import type * as Quota from "../../Quota.ts"
import * as QuotaDigest from "../quota/digest.ts"
import { type Config, type Held, placeOf, type Resources } from "./resources.ts"

const clientStats = ({ idleSince, key, leases, value }: LeaseMap.Entry<Config, Held>): ClientStats | undefined => {
  if (value === undefined) return undefined
  const { quotas, starts, transport } = value
  const inFlight = value.requests()
  const { openCircuits, queued, sockets } = transport.stats()
  return {
    ...placeOf(key),
    fingerprint: ClientConfig.fingerprint(key),
    leases: leases - inFlight,
    inFlight,
    queued: quotas.reduce((sum, quota) => sum + quota.stats().queued, queued + starts.size),
    sockets,
    openCircuits,
    idleSince
  }
}

const quotaStats = (key: ClientConfig.CredentialKey, quota: Quota.Quota): QuotaStats => ({
  provider: key.provider,
  baseURL: key.baseURL,
  credential: Redacted.isRedacted(key.credential) ? QuotaDigest.digest(key) : key.credential.id,
  ...quota.stats()
})

export const statsOf = ({ clients, quotas, transports, unclassified }: Resources): Effect.Effect<Stats> =>
  Effect.gen(function* () {
    const { entries, ...counts } = yield* LeaseMap.stats(clients)
    const pools = yield* LeaseMap.stats(transports)
    const budgets = yield* LeaseMap.stats(quotas)
    return {
      ...counts,
      sockets: pools.entries.reduce((sum, { value }) => sum + (value?.stats().sockets ?? 0), 0),
      unclassified: unclassified.count(),
      clients: entries.flatMap((entry) => clientStats(entry) ?? []),
      quotas: budgets.entries.flatMap(({ key, value }) => (value === undefined ? [] : quotaStats(key, value)))
    }
  })
