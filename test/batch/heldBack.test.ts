import { assert, describe, it } from "vitest"
import type { ClientStats, QuotaStats, Stats } from "../../src/ClientMap.ts"
import { noStats } from "../../src/internal/client/emptyStats.ts"
import { belowRun, queuedIn } from "../../src/internal/batch/heldBack.ts"
import type { ModelStats } from "../../src/Quota.ts"

const place = { provider: "openai", baseURL: "https://api.openai.com/v1" }

const client = (more: Partial<ClientStats> = {}): ClientStats => ({
  ...place,
  fingerprint: "f",
  leases: 0,
  inFlight: 0,
  queued: 0,
  sockets: 0,
  openCircuits: 0,
  idleSince: undefined,
  ...more
})

const model = (more: Partial<ModelStats> = {}): ModelStats => ({
  model: "m",
  inFlight: 5,
  queued: 10,
  limit: Infinity,
  requestsLeft: Infinity,
  tokensLeft: Infinity,
  closedUntil: undefined,
  ...more
})

const quota = (one: ModelStats, more: Partial<QuotaStats> = {}): Stats => ({
  ...noStats,
  clients: [client({ queued: one.queued })],
  quotas: [
    {
      ...place,
      credential: "c",
      inFlight: one.inFlight,
      queued: one.queued,
      requestsPerMinute: Infinity,
      tokensPerMinute: Infinity,
      models: [one],
      ...more
    }
  ]
})

const named = (stats: Stats) => belowRun(stats, 500)

describe("what holds a run back", () => {
  it("is a budget of tokens that the next row does not fit into, else one of requests", () => {
    const minute = { requestsPerMinute: 600, tokensPerMinute: 60_000 }
    const detail = "waiting for tokens: 60,000 a minute"
    assert.deepStrictEqual(named(quota(model({ tokensLeft: 499 }), minute)), { by: "tokens", detail })
    assert.deepStrictEqual(named(quota(model({ tokensLeft: 500 }), minute)), {
      by: "requests",
      detail: "waiting for requests: 600 a minute"
    })
  })

  it("is a Retry-After until its time has passed", () => {
    const until = Date.now() + 30_000
    const held = named(quota(model({ closedUntil: until })))
    assert.deepStrictEqual(
      [held?.by, held?.until, held?.detail],
      ["retry_after", until, "openai wants no requests for 30 s"]
    )
    assert.strictEqual(named(quota(model({ closedUntil: Date.now() - 1 })))?.by, "quota")
  })

  it("is the limit on requests in flight, a circuit, or sockets", () => {
    assert.deepStrictEqual(named(quota(model({ limit: 5 }))), {
      by: "quota",
      detail: "10 requests to m wait for one of 5 in flight"
    })
    const broken = { ...noStats, clients: [client({ openCircuits: 1 })] }
    assert.strictEqual(named(broken)?.by, "circuit")
    const crowded = { ...noStats, sockets: 256, clients: [client({ queued: 7 })] }
    assert.deepStrictEqual(named(crowded), { by: "sockets", detail: "7 requests wait for a connection; 256 are open" })
  })

  it("is nothing where nothing waits", () => {
    assert.strictEqual(named({ ...noStats, clients: [client()] }), undefined)
    assert.strictEqual(named(quota(model({ queued: 0 }))), undefined)
  })

  it("counts requests of clients that share a quota once", () => {
    const { quotas } = quota(model())
    assert.strictEqual(queuedIn({ ...noStats, clients: [client({ queued: 10 }), client({ queued: 12 })], quotas }), 12)
  })
})
