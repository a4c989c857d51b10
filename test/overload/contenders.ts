/**
 * Clients of the simulated provider: this package's whole request path over a pool without sockets, and the bare SDK's
 * policy.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { PoolKey } from "../../src/internal/request/keyPool.ts"
import * as ClientFetch from "../../src/internal/request/clientFetch.ts"
import { transportLimits } from "../../src/internal/util/bounds.ts"
import { Health } from "../../src/internal/overload/health.ts"
import * as QuotaAccount from "../../src/internal/quota/credentialLimiter.ts"
import { RETRIES_PER_SECOND } from "../../src/internal/overload/budget.ts"
import { none } from "../../src/internal/quota/limits.ts"
import { WireError } from "../../src/internal/wire/errors.ts"
import type { WirePool, WireRequest, WireResponse } from "../../src/internal/http/types.ts"
import type { Fate, Provider } from "./provider.ts"
import { randomOf, type VirtualTime } from "./virtualTime.ts"

/** Asks for a row. Calls back once, never before it returns: `true` if the row was answered. */
export type Contender = (row: number, done: (isAnswered: boolean) => void) => void

const RETRIES = 2

/** openai 7: two retries, 0.5 s doubling to 8 s less up to a quarter, and Retry-After where that is below a minute. */
export const bareSdk = (provider: Provider, time: VirtualTime, seed: number): Contender => {
  const random = randomOf(seed)
  return (row, done) => {
    const attempt = (made: number): void =>
      provider.ask(row, (fate) => {
        if (fate.kind === "answer" || made === RETRIES) return done(fate.kind === "answer")
        const backoff = Math.min(8_000, 500 * 2 ** made) * (1 - random() / 4)
        const asked = fate.kind === "status" ? fate.retryAfter : undefined
        time.after(asked !== undefined && asked < 60_000 ? asked : backoff, () => attempt(made + 1))
      })
    attempt(0)
  }
}

const ended = { read: () => Promise.resolve(undefined), cancel: () => undefined, onEnd: (f: () => void) => f() }

const responseOf = (fate: Fate): WireResponse => {
  const isAnswer = fate.kind !== "status"
  const wait = isAnswer ? undefined : fate.retryAfter
  const headers: Array<readonly [string, string]> = [["content-length", "0"]]
  if (wait !== undefined) headers.push(["retry-after", String(wait / 1_000)])
  return { status: isAnswer ? 204 : fate.status, headers, body: { ...ended, onEnd: (f) => f(undefined) } }
}

const errorOf = (kind: Fate["kind"]): WireError | undefined =>
  kind === "reset"
    ? new WireError("Connection", "maybe", "reset")
    : kind === "refused"
      ? new WireError("Connection", "no", "refused")
      : kind === "timeout"
        ? new WireError("Timeout", "maybe", "timed out")
        : undefined

/** A pool in which refused connections, as they concern all requests, fail all. */
const poolOf = (provider: Provider, time: VirtualTime, seed: number): WirePool => {
  const random = randomOf(seed)
  const health = new Health({
    origin: "https://sim",
    circuitFailures: 64,
    circuitCooldown: 5_000,
    ticker: time.ticker,
    random
  })
  const request = (of: WireRequest): Promise<WireResponse> => {
    const recalled = of.recall?.()
    const pass = recalled === undefined ? (of.pass ?? health.enter(of)) : undefined
    if (pass === undefined) {
      if (of.pass !== undefined) health.drop(of.pass)
      return Promise.reject(recalled ?? health.refusal(of))
    }
    return new Promise((resolve, reject) => {
      of.seal?.(of.headers)
      if (!provider.isRefusing()) health.sent(pass)
      provider.ask(Number(of.path.slice(1)), (fate) => {
        const error = errorOf(fate.kind)
        if (error === undefined) {
          const response = responseOf(fate)
          health.answered(pass, response.status)
          return resolve(response)
        }
        reject(error)
        if (error.processed !== "no") return health.unanswered(pass, error)
        health.unreachable(error, () => health.drop(pass))
      })
    })
  }
  const none = { sockets: 0, inFlight: 0, queued: 0, opened: 0, openCircuits: 0, protocol: undefined }
  return {
    limits: transportLimits,
    protocol: undefined,
    health,
    request,
    stats: () => none,
    close: () => Promise.resolve()
  }
}

const secret = Redacted.make("sk")

const accountOf = (time: VirtualTime): PoolKey => {
  const account = QuotaAccount.make(time.ticker, () => undefined)
  account.join({ ...none, maxWaiters: 100_000, retriesPerSecond: RETRIES_PER_SECOND })
  return {
    quota: {
      tryEnter: (demand) => account.lane(demand.model).tryEnter(demand),
      enter: (demand, waiting) => account.lane(demand.model).enter(demand, waiting),
      closedFor: (demand) => account.lane(demand.model).closedFor(time.now),
      shutMs: (demand) => account.lane(demand.model).shutMs(time.now),
      outlook: () => [0, 0, 0],
      refuse: account.refuse,
      retriesPerSecond: () => account.limits().retriesPerSecond,
      isRested: () => true,
      join: () => Effect.void,
      stats: () => ({ inFlight: 0, queued: 0, requestsPerMinute: 0, tokensPerMinute: 0, models: [] })
    },
    secrets: {
      peek: () => secret,
      load: () => Promise.resolve(secret),
      refused: () => false,
      isOver: () => false
    }
  }
}

export const ours = (provider: Provider, time: VirtualTime, seed: number): Contender => {
  const account = accountOf(time)
  const { fetch } = ClientFetch.make({
    place: { provider: "openai", baseURL: "https://sim" },
    transport: { origin: "https://sim", pool: poolOf(provider, time, seed) },
    accounts: { size: 1, isPool: false, choose: () => account, known: () => [secret] },
    authorize: undefined,
    headers: {},
    hidden: [],
    lease: { retain: () => true, join: () => true, release: () => undefined },
    isClosed: () => false,
    timeouts: { headers: Infinity, body: Infinity },
    deadline: Infinity,
    maxRetries: RETRIES,
    retryAmbiguous: "generation",
    maxRetryAfter: 60_000,
    prints: false,
    queueTimeout: Infinity,
    ticker: time.ticker,
    recorder: { ended: () => undefined, retry: () => undefined, waited: () => undefined, dispatched: () => undefined },
    calls: () => undefined,
    note: () => undefined,
    count: () => undefined
  })
  const ask = async (row: number): Promise<boolean> => {
    try {
      return (await fetch(`https://sim/${row}`, { method: "GET" })).status < 300
    } catch {
      return false
    }
  }
  return (row, done) => void settle(ask(row), done)
}

const settle = async (asked: Promise<boolean>, done: (isAnswered: boolean) => void): Promise<void> => done(await asked)
