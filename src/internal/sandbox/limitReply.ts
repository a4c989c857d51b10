/** Rate limits in each provider's format: headers of every response, and the error of a refused request. */
import type { Problem } from "./errors.ts"
import type { Headers } from "./exchange.ts"
import { type Decision, UNLIMITED } from "./limits.ts"
import type { ProviderName } from "./model.ts"
import { Date } from "../util/timers.ts"

/** Go's notation, as OpenAI and Groq write it: `6ms`, `1.2s`, `6m0s`, `1h0m0s`. */
const goDuration = (seconds: number): string => {
  const ms = Math.max(1, Math.round(seconds * 1000))
  if (ms < 1000) return `${ms}ms`
  const s = (ms % 60_000) / 1000
  const minutes = Math.floor(ms / 60_000)
  if (minutes === 0) return `${s}s`
  return minutes < 60 ? `${minutes}m${s}s` : `${Math.floor(minutes / 60)}h${minutes % 60}m${s}s`
}

const iso = (seconds: number): string =>
  new Date(Date.now() + Math.ceil(seconds) * 1000).toISOString().replace(/\.\d+Z/, "Z")

const windows = (provider: ProviderName, d: Decision): Headers => {
  switch (provider) {
    case "openai":
    case "azure":
    case "groq": {
      const requests = provider === "groq" ? d.day : d.requests
      return {
        "x-ratelimit-limit-requests": `${requests.limit}`,
        "x-ratelimit-remaining-requests": `${requests.remaining}`,
        "x-ratelimit-reset-requests": goDuration(requests.reset),
        "x-ratelimit-limit-tokens": `${d.tokens.limit}`,
        "x-ratelimit-remaining-tokens": `${d.tokens.remaining}`,
        "x-ratelimit-reset-tokens": goDuration(d.tokens.reset)
      }
    }
    case "cerebras":
      return {
        "x-ratelimit-limit-requests-day": `${d.day.limit}`,
        "x-ratelimit-remaining-requests-day": `${d.day.remaining}`,
        "x-ratelimit-reset-requests-day": `${d.day.reset}`,
        "x-ratelimit-limit-tokens-minute": `${d.tokens.limit}`,
        "x-ratelimit-remaining-tokens-minute": `${d.tokens.remaining}`,
        "x-ratelimit-reset-tokens-minute": `${d.tokens.reset}`
      }
    case "anthropic":
      return {
        "anthropic-ratelimit-requests-limit": `${d.requests.limit}`,
        "anthropic-ratelimit-requests-remaining": `${d.requests.remaining}`,
        "anthropic-ratelimit-requests-reset": iso(d.requests.reset),
        "anthropic-ratelimit-tokens-limit": `${d.tokens.limit}`,
        "anthropic-ratelimit-tokens-remaining": `${d.tokens.remaining}`,
        "anthropic-ratelimit-tokens-reset": iso(d.tokens.reset)
      }
  }
}

/** Without limits the headers never change, and are made once. */
const unlimited = new Map<ProviderName, Headers>()

export const limitHeaders = (provider: ProviderName, d: Decision): Headers => {
  if (d === UNLIMITED && provider !== "anthropic") {
    const known = unlimited.get(provider) ?? windows(provider, d)
    unlimited.set(provider, known)
    return known
  }
  const headers = windows(provider, d)
  if (d.retryAfter !== undefined) {
    headers["retry-after"] = `${Math.max(1, Math.ceil(d.retryAfter))}`
    // Only these two send it in milliseconds as well.
    if (provider === "openai" || provider === "azure") {
      headers["retry-after-ms"] = `${Math.max(1, Math.ceil(d.retryAfter * 1000))}`
    }
  }
  return headers
}

/**
 * Cerebras names a quota for a limit that passes, and so is no trap for clients that look for insufficient_quota. Codes
 * and texts as seen in nminaya/grammar-nazi-bot#954, continuedev/continue#9800 and sandialabs/atlas-ui-3#111.
 */
const CEREBRAS = {
  requests: {
    code: "request_quota_exceeded",
    param: "quota",
    message: "Requests per minute limit exceeded - too many requests sent."
  },
  tokens: {
    code: "token_quota_exceeded",
    param: "quota",
    message: "Tokens per minute limit exceeded - too many tokens processed."
  },
  concurrency: {
    code: "queue_exceeded",
    param: "queue",
    message: "We're experiencing high traffic right now! Please try again soon."
  }
} as const

export const limitProblem = (provider: ProviderName, model: string, d: Decision): Problem => {
  const over = d.over ?? "requests"
  if (provider === "cerebras") return { status: 429, ...CEREBRAS[over] }
  const retry = d.retryAfter === undefined ? "" : ` Please try again in ${goDuration(d.retryAfter)}.`
  if (over === "concurrency") {
    const message =
      provider === "anthropic"
        ? "Number of concurrent connections has exceeded your rate limit."
        : "Too many concurrent requests."
    return { status: 429, code: "rate_limit_exceeded", message: message + retry }
  }
  const window = over === "tokens" ? d.tokens : d.requests
  const unit = over === "tokens" ? "tokens per min (TPM)" : "requests per min (RPM)"
  const counts = `Limit ${window.limit}, Remaining ${window.remaining}.`
  return {
    status: 429,
    code: over === "tokens" && provider === "groq" ? "tokens_rate_limit" : "rate_limit_exceeded",
    message: `Rate limit reached for model \`${model}\` on ${unit}: ${counts}${retry}`
  }
}
