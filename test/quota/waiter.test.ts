/** The attempts of one request, over quotas and sockets under control. */
import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import type { PoolKey } from "../../src/internal/request/keyPool.ts"
import * as Attempts from "../../src/internal/telemetry/attempts.ts"
import * as CallContext from "../../src/internal/request/callContext.ts"
import * as ClientFetch from "../../src/internal/request/clientFetch.ts"
import { Start, StartQueue } from "../../src/internal/request/startQueue.ts"
import { transportLimits } from "../../src/internal/util/bounds.ts"
import { Health } from "../../src/internal/overload/health.ts"
import type { WaitTerms } from "../../src/internal/quota/waiter.ts"
import type { Permit } from "../../src/internal/quota/permit.ts"
import { WireError } from "../../src/internal/wire/errors.ts"
import type { WirePool } from "../../src/internal/http/types.ts"
import { handTicker, settle } from "../support/handTicker.ts"
import { laneOf, demand } from "../support/limiters.ts"

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

interface Waiting {
  readonly timeout: number
  readonly maxRetryAfter: number
  readonly resolve: (permit: Permit | undefined) => void
}

const setup = (queueTimeout: number, deadline = Infinity) => {
  const ticker = handTicker()
  const starts = new StartQueue(ticker, { waiting: 0, lined: 0 })
  const waits: Array<Waiting> = []
  const facts = { counted: 0, loads: 0 }
  const secret = Redacted.make("sk")
  let load = Promise.resolve(secret)
  let known = true
  const account: PoolKey = {
    quota: {
      tryEnter: () => undefined,
      enter: (_, { maxRetryAfter, timeout }: WaitTerms) =>
        new Promise((resolve) => waits.push({ timeout, maxRetryAfter, resolve })),
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
    keyPool: { size: 2, isPool: true, choose: () => account, known: () => [secret] },
    authorize: undefined,
    headers: {},
    hidden: [],
    lease: { retain: () => true, join: () => true, release: () => {} },
    isClosed: () => false,
    timeouts: { headers: Infinity, body: Infinity },
    deadline,
    starts,
    startBounds: { origin, maxQueue: Infinity, maxWaiters: Infinity },
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
  /** The first request of a call that has stood in line for so long. */
  const sendAfter = (waitedMs: number) => {
    const start = new Start(
      starts,
      { isOver: true },
      { order: 1, waitedMs, waitedFor: "quota", isEarly: false, isAdmitted: true }
    )
    const call = CallContext.make(new AbortController().signal, undefined, undefined, start)
    return CallContext.run(call, () => [send(), send()])
  }
  return { ticker, waits, facts, send, sendAfter, loadsIn }
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

  it("has the rest of its queueTimeout and of its deadline where its call has stood in line, as the first of that call", async () => {
    const { sendAfter, waits } = setup(1_000, 2_000)
    void sendAfter(300)
    await settle()
    assert.deepStrictEqual(
      waits.map(({ maxRetryAfter, timeout }) => [timeout, maxRetryAfter]),
      [
        [700, 1_700],
        [1_000, 2_000]
      ]
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
