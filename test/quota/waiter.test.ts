/** The attempts of one request, over quotas and sockets under control. */
import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import type { PoolKey } from "../../src/internal/request/keyPool.ts"
import * as Attempts from "../../src/internal/telemetry/attempts.ts"
import * as ClientFetch from "../../src/internal/request/clientFetch.ts"
import { transportLimits } from "../../src/internal/util/bounds.ts"
import { Health } from "../../src/internal/overload/health.ts"
import type { Waiting } from "../../src/internal/quota/waiter.ts"
import type { Permit } from "../../src/internal/quota/permit.ts"
import { WireError } from "../../src/internal/wire/errors.ts"
import type { WirePool } from "../../src/internal/http/types.ts"
import { handTicker, settle } from "../support/handTicker.ts"
import { laneOf, demand } from "../support/lanes.ts"

const place = { provider: "openai", baseURL: "https://example.com/v1" }
const origin = "https://example.com"

/** Nothing comes of what is sent. */
const pool: WirePool = {
  limits: transportLimits,
  protocol: undefined,
  health: new Health({ origin, circuitFailures: 64, circuitCooldown: 5_000 }),
  request: () => Promise.reject(new WireError("Malformed", "yes", "odd")),
  stats: () => ({ sockets: 0, inFlight: 0, queued: 0, opened: 0, openCircuits: 0, protocol: undefined }),
  close: () => Promise.resolve()
}

const setup = (queueTimeout: number) => {
  const ticker = handTicker()
  const waits: Array<{ readonly timeout: number; readonly resolve: (permit: Permit | undefined) => void }> = []
  const facts = { counted: 0, loads: 0 }
  const secret = Redacted.make("sk")
  let load = Promise.resolve(secret)
  let known = true
  const account: PoolKey = {
    quota: {
      tryEnter: () => undefined,
      enter: (_, { timeout }: Waiting) => new Promise((resolve) => waits.push({ timeout, resolve })),
      outlook: () => [0, 0, 0],
      refuse: () => {},
      retriesPerSecond: () => Infinity,
      closedFor: () => 0,
      shutMs: () => 0,
      isRested: () => true,
      join: () => {
        throw new Error("not here")
      },
      stats: () => ({ inFlight: 0, queued: 0, requestsPerMinute: Infinity, tokensPerMinute: Infinity, models: [] })
    },
    secrets: { peek: () => (known ? secret : undefined), load: () => load, refused: () => false, isOver: () => false }
  }
  const { fetch } = ClientFetch.make({
    place,
    transport: { origin, pool },
    accounts: { size: 2, isPool: true, choose: () => account, known: () => [secret] },
    authorize: undefined,
    headers: {},
    hidden: [],
    lease: { retain: () => true, join: () => true, release: () => {} },
    isClosed: () => false,
    timeouts: { headers: Infinity, body: Infinity },
    deadline: Infinity,
    maxRetries: 0,
    retryAmbiguous: "generation",
    maxRetryAfter: 60_000,
    prints: false,
    queueTimeout,
    ticker,
    recorder: Attempts.make("test", origin),
    calls: () => undefined,
    note: () => {},
    count: () => {}
  })
  const send = () =>
    fetch(`${origin}/v1/chat/completions`, { method: "POST", body: "{}" }).catch((error: unknown) => error)
  const loadsIn = (ms: number) => {
    known = false
    load = new Promise((resolve) => void ticker.after(ms, () => resolve(secret)))
  }
  return { ticker, waits, facts, send, loadsIn }
}

describe("a request that is moved from queue to queue", () => {
  it("waits no longer than queueTimeout in all", async () => {
    const { send, ticker, waits } = setup(1_000)
    const sent = send()
    await ticker.pass(300)
    waits[0]!.resolve(undefined)
    await ticker.pass(500)
    waits[1]!.resolve(undefined)
    await settle()
    assert.deepStrictEqual(
      waits.map(({ timeout }) => timeout),
      [1_000, 700, 200]
    )
    waits[2]!.resolve(laneOf(ticker).tryEnter(demand())!)
    assert.propertyVal(await sent, "reason", "Malformed")
  })

  it("asks for no time below none when a busy loop comes late, of which Node would warn", async () => {
    const { send, ticker, waits } = setup(1_000)
    void send()
    await ticker.sleep(1_300)
    waits[0]!.resolve(undefined)
    await settle()
    assert.deepStrictEqual(
      waits.map(({ timeout }) => timeout),
      [1_000, 0]
    )
  })

  it("has all of its queueTimeout when its secret has been loaded", async () => {
    const { loadsIn, send, ticker, waits } = setup(1_000)
    loadsIn(5_000)
    void send()
    await ticker.pass(5_000)
    assert.strictEqual(waits[0]!.timeout, 1_000)
  })
})
