/** What a client map counts, as gauges: read from time to time, since the path of a request must not pay for it. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Service, Stats } from "../../ClientMap.ts"
import * as Limits from "./limits.ts"

type Read = (stats: Stats) => number

const sum =
  (f: (client: Stats["clients"][number]) => number): Read =>
  ({ clients }) =>
    clients.reduce((all, client) => all + f(client), 0)

const gauges: ReadonlyArray<readonly [name: string, description: string, read: Read]> = [
  ["http.client.open_connections", "Sockets of all transports", ({ sockets }) => sockets],
  ["http.client.active_requests", "Requests under way, bodies included", sum(({ inFlight }) => inFlight)],
  ["clientele.clients", "Clients that are held", ({ clients }) => clients.length],
  ["clientele.leases", "Leases of clients", sum(({ leases }) => leases)],
  ["clientele.hits", "Leases of clients that stood already", ({ hits }) => hits],
  ["clientele.misses", "Leases for which a client had to be built", ({ misses }) => misses],
  ["clientele.built", "Clients that were built", ({ built }) => built],
  ["clientele.released", "Clients that were released", ({ released }) => released],
  ["clientele.evicted", "Clients that went to make room", ({ evicted }) => evicted],
  ["clientele.quotas", "Budgets of credentials that are kept", ({ quotas }) => quotas.length],
  [
    "clientele.quota.queued",
    "Requests that wait for a budget",
    ({ quotas }) => quotas.reduce((all, { queued }) => all + queued, 0)
  ]
]

const made = gauges.map(([name, description, read]) => ({ gauge: Metric.gauge(name, { description }), read }))

export const update = (service: Service): Effect.Effect<void> =>
  Effect.flatMap(service.stats, (stats) =>
    Effect.zipRight(
      Effect.sync(() => Limits.update(stats)),
      Effect.forEach(made, ({ gauge, read }) => Metric.set(gauge, read(stats)), { discard: true })
    )
  )
