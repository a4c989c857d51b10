/** Names what holds a run back, from the state of the layers below it. */
import type { ClientStats, QuotaStats, Stats } from "../../ClientMap.ts"
import type { ModelStats } from "../../Quota.ts"
import { Date } from "../util/timers.ts"
import type { HeldBack } from "./model.ts"

const whole = (value: number): string => Math.round(value).toLocaleString("en")

/** Requests that wait, for quota or for sockets; those of clients that share a quota count once. */
export const queuedIn = ({ clients, quotas }: Stats): number => {
  const forQuota = quotas.reduce((sum, { queued }) => sum + queued, 0)
  const most = clients.reduce((all, { queued }) => Math.max(all, queued), 0)
  return Math.max(forQuota, most)
}

interface Waiting {
  readonly quota: QuotaStats
  readonly model: ModelStats
}

/** The model for which most requests wait. */
const longest = (quotas: ReadonlyArray<QuotaStats>): Waiting | undefined =>
  quotas
    .flatMap((quota) => quota.models.map((model): Waiting => ({ quota, model })))
    .filter(({ model }) => model.queued > 0)
    .sort((a, b) => b.model.queued - a.model.queued)[0]

const ofQuota = ({ model, quota }: Waiting, meanTokens: number): HeldBack => {
  const waiting = `${whole(model.queued)} requests to ${model.model || quota.provider}`
  const { closedUntil } = model
  if (closedUntil !== undefined && closedUntil > Date.now()) {
    const seconds = whole((closedUntil - Date.now()) / 1_000)
    return { by: "retry_after", detail: `${quota.provider} wants no requests for ${seconds} s`, until: closedUntil }
  }
  if (model.inFlight >= model.limit) {
    return { by: "quota", detail: `${waiting} wait for one of ${whole(model.limit)} in flight` }
  }
  if (quota.tokensPerMinute < Infinity && model.tokensLeft < Math.max(1, meanTokens)) {
    return { by: "tokens", detail: `waiting for tokens: ${whole(quota.tokensPerMinute)} a minute` }
  }
  if (quota.requestsPerMinute < Infinity) {
    return { by: "requests", detail: `waiting for requests: ${whole(quota.requestsPerMinute)} a minute` }
  }
  return { by: "quota", detail: `${waiting} wait for the quota` }
}

const isBroken = ({ openCircuits }: ClientStats): boolean => openCircuits > 0

/** The limit that holds requests back, `undefined` if none does. */
export const belowRun = (stats: Stats, meanTokens: number): HeldBack | undefined => {
  const broken = stats.clients.find(isBroken)
  if (broken !== undefined) {
    return { by: "circuit", detail: `${broken.baseURL} does not respond; it is probed until it does` }
  }
  const waiting = longest(stats.quotas)
  if (waiting !== undefined) return ofQuota(waiting, meanTokens)
  const queued = queuedIn(stats)
  if (queued === 0) return undefined
  return { by: "sockets", detail: `${whole(queued)} requests wait for a connection; ${whole(stats.sockets)} are open` }
}
