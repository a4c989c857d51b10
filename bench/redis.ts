/** One budget for three processes, counted in Redis: whether it holds, and what that costs. */
import * as Effect from "effect/Effect"
import { type Bench, type Figure, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Redis, Tally } from "./agents.ts"
import type { Size } from "./question.ts"
import type { Cost, Work as CostWork } from "./redisWorker.ts"
import type { Work } from "./restlessWorker.ts"
import { type Server, withServer } from "./server.ts"
import { make as makeRedis } from "../test/support/redis.ts"
import { serveToxics } from "../test/support/toxics.ts"
import { used, watch } from "./window.ts"

const PROCESSES = 3
const AGENTS = 200
const LATENCY = 100
const ANSWER = 20
/** Until all processes have started and are warm: the first requests are let in long before they reach the server. */
const SKIP = 2_000

/** Milliseconds that an answer of Redis takes to come: from the same machine to another continent, and worse. */
const ROUND_TRIPS = [1, 50, 200, 500]
/** The same for a distant Redis: the round trip and the cost of answers are measured first. */
const SKIP_FAR = 8_000

interface Case {
  readonly what: string
  readonly limits: { readonly requestsPerMinute: number; readonly tokensPerMinute: number }
  readonly question: Size
}

/** Half of the questions allow four times as long an answer as they get, and half say nothing of it. */
const cases = {
  requests: {
    what: "30,000 requests a minute",
    limits: { requestsPerMinute: 30_000, tokensPerMinute: 1e9 },
    question: { prompt: 30, maxTokens: 80 }
  },
  tokens: {
    what: "6,000,000 tokens a minute",
    limits: { requestsPerMinute: 1e6, tokensPerMinute: 6_000_000 },
    question: { prompt: 480, maxTokens: 80 }
  }
} satisfies Record<string, Case>

/** Permits reserved ahead make as many more requests wait: at these rates 600 agents are enough. */
const far = {
  requests: {
    ...cases.requests,
    what: "3,000 requests a minute",
    limits: { requestsPerMinute: 3_000, tokensPerMinute: 1e9 }
  },
  tokens: {
    ...cases.tokens,
    what: "1,500,000 tokens a minute",
    limits: { requestsPerMinute: 1e6, tokensPerMinute: 1_500_000 }
  }
} satisfies Record<string, Case>

/** Nobody has to wait for these. */
const endless = { requestsPerMinute: 1e9, tokensPerMinute: 1e12 }

let budgets = 0
/** Each run has a budget of its own. */
const fresh = (url: string): Redis => ({ url, prefix: `bench-${++budgets}` })

interface Result {
  /** Percent of what the budget allowed in that time. */
  readonly used: number
  readonly shares: ReadonlyArray<number>
  readonly failed: number
}

/** The server has no limits: it only counts. */
const shared =
  (url: string, one: Case, ms: number, skip = SKIP) =>
  (): Promise<Result> =>
    withServer(
      ["--protocol", "http/1.1", "--log-size", "0", "--latency", `${LATENCY}`, "--tokens", `${ANSWER}`],
      async (server) => {
        const redis = fresh(url)
        const target = { baseURLs: [server.baseURL], keys: 1, ca: server.ca, quota: one.limits }
        const work: Work = {
          variant: "clientele",
          target,
          agents: AGENTS,
          question: one.question,
          ms: skip + ms + 4_000,
          redis
        }
        const all = Array.from({ length: PROCESSES }, () => measure<Work, Tally>("restlessWorker.ts", work))
        const { outcome, window } = await watch(server, { skip, ms, latency: LATENCY }, Promise.all(all))
        const cost = one.question.prompt + ANSWER
        if (outcome.some(({ answered, tokens }) => tokens !== answered * cost)) {
          throw new Error(`an answer did not cost ${cost} tokens`)
        }
        const perMinute = Math.min(one.limits.requestsPerMinute, one.limits.tokensPerMinute / cost)
        const answered = outcome.reduce((sum, { answered }) => sum + answered, 0)
        return {
          used: used(window, perMinute),
          shares: outcome.map((tally) => (tally.answered / answered) * 100),
          failed: outcome.reduce((sum, { failed }) => sum + failed, 0)
        }
      }
    )

/** Both budgets at once, of a Redis at such a distance: neither crowd needs more than a part of a CPU. */
const distant = (port: number, roundTrip: number, ms: number) => async () => {
  const proxy = await serveToxics(port)
  for (const direction of ["upstream", "downstream"] as const)
    proxy.add({ type: "latency", ms: roundTrip / 2 }, direction)
  const url = `redis://127.0.0.1:${proxy.port}`
  try {
    const [requests, tokens] = await Promise.all([
      shared(url, far.requests, ms, SKIP_FAR)(),
      shared(url, far.tokens, ms, SKIP_FAR)()
    ])
    return { requests, tokens }
  } finally {
    await proxy.close()
  }
}

const cost = (server: Server, redis?: Redis) => () =>
  measure<CostWork, Cost>("redisWorker.ts", {
    target: { baseURLs: [server.baseURL], keys: 1, ca: server.ca, maxConnections: 64, quota: endless },
    redis
  })

const together = (one: Case, results: ReadonlyArray<Result>): ReadonlyArray<Figure> => {
  const uses = results.map(({ used }) => used)
  const shares = results.flatMap(({ shares }) => shares)
  return [
    {
      what: `${one.what}: used by ${PROCESSES} processes together`,
      value: median(uses),
      unit: "%",
      atLeast: 95,
      atMost: 101,
      note: `server's count; runs ${spread(uses, 1)}; a process's part ${spread(shares, 0)}%`
    },
    {
      what: `${one.what}: rows that failed`,
      value: Math.max(...results.map(({ failed }) => failed)),
      unit: "rows",
      atMost: 0
    }
  ]
}

const price = (local: ReadonlyArray<Cost>, remote: ReadonlyArray<Cost>): ReadonlyArray<Figure> => {
  const added = (which: "p50" | "p99"): Figure => {
    const all = remote.map((cost, i) => cost[which] - local[i]![which])
    const ms = (costs: ReadonlyArray<Cost>) => round(median(costs.map((cost) => cost[which])), 2)
    return {
      what: `latency that Redis adds to a request, ${which}`,
      value: median(all),
      unit: "ms",
      note: `${ms(remote)} and ${ms(local)} ms, the server's answer included; runs ${spread(all, 2)}`
    }
  }
  const [remoteCpu, localCpu] = [remote.map(({ cpu }) => cpu), local.map(({ cpu }) => cpu)]
  const all = ratios(remoteCpu, localCpu)
  return [
    added("p50"),
    added("p99"),
    {
      what: "CPU of a request, counted in Redis / counted by the process",
      value: median(all),
      unit: "x",
      note: `${round(median(remoteCpu), 0)} and ${round(median(localCpu), 0)} us, without Redis's own; runs ${spread(all, 2)}`
    }
  ]
}

const run = async (port: number, runs: number, ms: number): Promise<ReadonlyArray<Figure>> => {
  const url = `redis://127.0.0.1:${port}`
  const distances: Array<Figure> = []
  for (const roundTrip of ROUND_TRIPS) {
    const { results } = await interleaved({ results: distant(port, roundTrip, ms) }, runs)
    for (const bound of ["requests", "tokens"] as const) {
      const one = { ...far[bound], what: `${far[bound].what}, round trip of ${roundTrip} ms` }
      distances.push(
        ...together(
          one,
          results.map((result) => result[bound])
        )
      )
    }
  }
  const shares = await interleaved(
    { requests: shared(url, cases.requests, ms), tokens: shared(url, cases.tokens, ms) },
    runs
  )
  return withServer(["--protocol", "http/1.1", "--log-size", "0"], async (server) => {
    const costs = await interleaved({ local: cost(server), redis: () => cost(server, fresh(url))() }, runs)
    return [
      ...together(cases.requests, shares.requests),
      ...together(cases.tokens, shares.tokens),
      ...distances,
      ...price(costs.local, costs.redis)
    ]
  })
}

export const redis: Bench = {
  name: "redis",
  about: `${PROCESSES} processes of ${AGENTS} agents each on one budget in Redis, once all of them are up`,
  run: ({ quick }) =>
    Effect.flatMap(makeRedis(), ({ port }) =>
      Effect.promise(() => (quick ? run(port, 1, 8_000) : run(port, 3, 12_000)))
    ).pipe(Effect.scoped, Effect.runPromise)
}
