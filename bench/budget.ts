/**
 * Share of an account's budget that a crowd uses, and its 429s: with a quota of ours, and with the retries of the SDK
 * alone.
 *
 * The account's minute takes half a minute here, and so do the provider's Retry-After and answers. Not less: timers are
 * late by as much however short the minute is. No provider lets a minute's budget through in one burst: Azure looks at
 * seconds, and refuses a deployment of 600 requests a minute more than 10 in one of them
 * (learn.microsoft.com/azure/ai-foundry/openai/how-to/quota, "Understanding rate limits"); OpenAI and Anthropic
 * document too that a minute's limit may be enforced by the second. So this account has a second's worth of burst.
 */
import { type Bench, type Figure, interleaved, median, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { Tally } from "./agents.ts"
import type { Work } from "./restlessWorker.ts"
import type { Size } from "./question.ts"
import { withServer } from "./server.ts"
import { refused, used, watch } from "./window.ts"

const AGENTS = 500
const SCALE = 2
const REQUESTS = 600 * SCALE
const TOKENS = 100_000 * SCALE
const MINUTE = 60_000 / SCALE
const BURST = 1 / 60 / SCALE
/** An answer takes 2 s of the account's time to write; a refusal takes none. */
const LATENCY = 2_000 / SCALE
/** Agents ask for longer than the server counts; responses after that minute are in no figure but "failed". */
const LONGER = LATENCY + 1_000
/** The SDK's `maxRetries` as raised after requests have failed. */
const MANY_RETRIES = 20

interface Case {
  readonly what: string
  readonly question: Size
  /** Tokens of an answer. */
  readonly answer: number
}

/** Half of the questions allow four times as long an answer as they get, and half say nothing of it. */
const cases = {
  requests: { what: "bound by requests", question: { prompt: 30, maxTokens: 80 }, answer: 20 },
  tokens: { what: "bound by tokens", question: { prompt: 500, maxTokens: 800 }, answer: 200 }
} satisfies Record<string, Case>

interface Result extends Tally {
  /** Percent of what the account allowed in that time. */
  readonly used: number
  /** Percent of all requests. */
  readonly refused: number
  readonly requests: number
}

const once = (one: Case, variant: Work["variant"], ms: number, maxRetries?: number): Promise<Result> => {
  const limits = ["--rpm", `${REQUESTS}`, "--tpm", `${TOKENS}`, "--burst", `${BURST}`]
  const answers = ["--tokens", `${one.answer}`, "--time-per-token", `${LATENCY / one.answer}`]
  return withServer(["--protocol", "http/1.1", "--log-size", "0", ...answers, ...limits], async (server) => {
    const quota = { requestsPerMinute: REQUESTS, tokensPerMinute: TOKENS }
    const target = { baseURLs: [server.baseURL], keys: 1, ca: server.ca, quota }
    const work = { variant, target, agents: AGENTS, question: one.question, ms: ms + LONGER, maxRetries }
    const { outcome, window } = await watch(
      server,
      { ms, latency: LATENCY },
      measure<Work, Tally>("restlessWorker.ts", work)
    )
    const cost = one.question.prompt + one.answer
    if (outcome.tokens !== outcome.answered * cost) throw new Error(`an answer did not cost ${cost} tokens`)
    const perMinute = Math.min(REQUESTS, TOKENS / cost)
    return {
      ...outcome,
      used: used(window, perMinute),
      refused: refused(window),
      requests: window.counts.requests
    }
  })
}

/** Both budgets at once: neither crowd needs more than a part of a CPU. */
const both = (variant: Work["variant"], ms: number, maxRetries?: number) => async () => {
  const [requests, tokens] = await Promise.all([
    once(cases.requests, variant, ms, maxRetries),
    once(cases.tokens, variant, ms, maxRetries)
  ])
  return { requests, tokens }
}

const figures = (what: string, results: ReadonlyArray<Result>, isOurs: boolean): ReadonlyArray<Figure> => {
  const uses = results.map(({ used }) => used)
  const share = results.map(({ refused }) => refused)
  return [
    {
      what: `${what}: used of the budget`,
      value: median(uses),
      unit: "%",
      atLeast: isOurs ? 97 : undefined,
      note: `server's count; runs ${spread(uses, 1)}`
    },
    {
      what: `${what}: answered 429`,
      value: median(share),
      unit: "%",
      atMost: isOurs ? 1 : undefined,
      note: `of ${round(median(results.map(({ requests }) => requests)), 0)} requests; runs ${spread(share, 1)}`
    },
    {
      what: `${what}: rows that failed`,
      value: Math.max(...results.map(({ failed }) => failed)),
      unit: "rows",
      atMost: isOurs ? 0 : undefined,
      note: `in the worst run; beside ${round(median(results.map(({ answered }) => answered)), 0)} that did not`
    }
  ]
}

export const budget: Bench = {
  name: "budget",
  about: `${AGENTS} agents from a cold start on an account of 600 requests and 100,000 tokens a minute, ${SCALE} times as fast: a minute takes ${MINUTE / 1000} s (--quick: half of it). Bursts of at most a second's worth`,
  run: async ({ quick }) => {
    const ms = quick ? MINUTE / 2 : MINUTE
    const results = await interleaved(
      { ours: both("clientele", ms), sdk: both("openai", ms), persistent: both("openai", ms, MANY_RETRIES) },
      quick ? 1 : 2
    )
    const variants = [
      ["ours", "clientele"],
      ["sdk", "openai alone, 2 retries"],
      ["persistent", `openai alone, ${MANY_RETRIES} retries`]
    ] as const
    return (["requests", "tokens"] as const).flatMap((bound) =>
      variants.flatMap(([name, said]) =>
        figures(
          `${cases[bound].what}, ${said}`,
          results[name].map((result) => result[bound]),
          name === "ours"
        )
      )
    )
  }
}
