/** Counts of a client map as gauges: read from time to time, since the path of a request must not pay for it. */
import * as Effect from "effect/Effect"
import type { Service, Stats } from "../../ClientMap.ts"
import * as Limits from "./limitGauges.ts"
import * as Series from "../otel/series.ts"

type Read = (stats: Stats) => number

const sum =
  (f: (client: Stats["clients"][number]) => number): Read =>
  ({ clients }) =>
    clients.reduce((all, client) => all + f(client), 0)

const gauges: ReadonlyArray<readonly [name: string, unit: string, description: string, read: Read]> = [
  ["http.client.open_connections", "{connection}", "Sockets of all transports", ({ sockets }) => sockets],
  ["http.client.active_requests", "{request}", "Requests in flight, bodies included", sum(({ inFlight }) => inFlight)],
  ["clientele.clients", "{client}", "Clients in the pool", ({ clients }) => clients.length],
  ["clientele.leases", "{lease}", "Leases of clients", sum(({ leases }) => leases)],
  ["clientele.hits", "{lease}", "Leases of existing clients", ({ hits }) => hits],
  ["clientele.misses", "{lease}", "Leases that built a client", ({ misses }) => misses],
  ["clientele.built", "{client}", "Clients built", ({ built }) => built],
  ["clientele.released", "{client}", "Clients released", ({ released }) => released],
  ["clientele.evicted", "{client}", "Clients evicted to make room", ({ evicted }) => evicted],
  ["clientele.quotas", "{budget}", "Budgets of credentials", ({ quotas }) => quotas.length],
  [
    "clientele.quota.queued",
    "{request}",
    "Requests waiting for a budget",
    ({ quotas }) => quotas.reduce((all, { queued }) => all + queued, 0)
  ]
]

const made = gauges.map(([name, unit, description, read]) => ({ key: Series.gauge(name, unit, description), read }))

export const keys = [...made.map(({ key }) => key), ...Limits.keys]

/** Calls `note` with what a client map adds to each gauge. */
export const visit = (stats: Stats, note: Limits.Note): void => {
  for (const { key, read } of made) note(key, [], read(stats))
  Limits.visit(stats, note)
}

interface Gauge {
  readonly series: Series.Series
  value: number
}

/** All gauges updated so far: effect's registry keeps them, so those without a source are set to 0. */
const told = new Map<string, Gauge>()

const gaugeOf = (key: (typeof keys)[number], labels: Series.Labels): Gauge => {
  const id = Series.idOf(key, labels)
  let gauge = told.get(id)
  if (gauge === undefined) told.set(id, (gauge = { series: Series.open(key, labels, false), value: 0 }))
  return gauge
}

/** Sets the gauges of effect's registry. */
export const update = (service: Service): Effect.Effect<void> =>
  Effect.map(service.stats, (stats) => {
    for (const gauge of told.values()) gauge.value = 0
    visit(stats, (key, labels, by) => {
      gaugeOf(key, labels).value += by
    })
    for (const { series, value } of told.values()) series.update(value)
  })
