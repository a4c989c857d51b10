/**
 * Tells of attempts: each time a request is sent, what came of it is counted, and is an event of the calling fiber's
 * span. Plain and synchronous, since this is the path of every request. It is told nothing that could be a secret, or
 * part of a prompt.
 */
import * as Clock from "effect/Clock"
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricKey from "effect/MetricKey"
import * as MetricLabel from "effect/MetricLabel"
import type { AnySpan, Span } from "effect/Tracer"
import type { WireError } from "./wire.ts"

/**
 * What came of an attempt, up to the headers of its answer:
 *
 * - `ok`: status below 400.
 * - `rate_limited`: 429, whatever limit it is about.
 * - `unauthorized`: 401 or 403.
 * - `client`: any other status below 500, a redirect to another origin, or an address that `allowAddress` refuses.
 * - `server`: status 500 and above.
 * - `timeout`: one of ours passed, also while it waited for a socket, or status 408.
 * - `connection`: none could be had (also for lack of file descriptors), or it broke, or the server's certificate is
 *   not to be trusted.
 * - `malformed`: an answer that is no HTTP.
 * - `aborted`: by a signal, or by closing the client layer.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome =
  | "ok"
  | "rate_limited"
  | "unauthorized"
  | "client"
  | "server"
  | "timeout"
  | "connection"
  | "malformed"
  | "aborted"

export const outcomeOfStatus = (status: number): Outcome => {
  if (status < 400) return "ok"
  if (status === 429) return "rate_limited"
  if (status === 401 || status === 403) return "unauthorized"
  if (status === 408) return "timeout"
  return status >= 500 ? "server" : "client"
}

const byReason: Readonly<Record<WireError["reason"], Outcome>> = {
  Timeout: "timeout",
  Capacity: "connection",
  QueueTimeout: "timeout",
  Connection: "connection",
  FileDescriptors: "connection",
  Untrusted: "connection",
  Malformed: "malformed",
  Refused: "client",
  Aborted: "aborted",
  Closed: "aborted"
}

export const outcomeOfError = (error: WireError): Outcome => byReason[error.reason]

export const attemptsKey = MetricKey.counter("clientele.attempts", {
  description: "Requests sent to providers, each attempt for itself",
  incremental: true
})

export const retriesKey = MetricKey.counter("clientele.retries", {
  description: "Attempts that were followed by another one",
  incremental: true
})

/**
 * The bounds of `gen_ai.client.operation.duration` (OpenTelemetry, GenAI metrics): 10 ms doubling to 82 s, which is
 * what a wait for quota spans as well.
 */
export const waitKey = MetricKey.histogram(
  "clientele.quota.wait_time",
  MetricBoundaries.fromIterable([
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92
  ]),
  "Seconds that requests waited for their credential's quota, of those that had to wait"
)

/** For one provider. None of it throws. Times are in milliseconds; `attempt` counts from 1. */
export interface AttemptRecorder {
  /** Headers came, or the attempt failed before. `status` is the answer's, if one came. */
  readonly ended: (
    span: AnySpan | undefined,
    attempt: number,
    outcome: Outcome,
    status: number | undefined,
    ms: number
  ) => void
  /** After `attempt`, which ended as `reason` says, another follows when `delayMs` have passed. */
  readonly retry: (span: AnySpan | undefined, attempt: number, reason: Outcome, delayMs: number) => void
  /** A request that found no permit free waited this long for its own. */
  readonly waited: (ms: number) => void
}

/** What spans go by too, outside of tests with a clock of their own. */
const clock = Clock.make()

const open = (span: AnySpan | undefined): span is Span =>
  span?._tag === "Span" && span.sampled && span.status._tag === "Started"

const tell = (span: Span, name: string, attributes: Record<string, unknown>): void => {
  try {
    span.event(name, clock.unsafeCurrentTimeNanos(), attributes)
  } catch {
    // A tracer's failure is not the request's.
  }
}

/** One counter for each value of a label, made when it is first counted. Which label comes first is part of its identity. */
const counters = (key: MetricKey.MetricKey.Counter<number>, provider: string, label: string) => {
  const made: { [value in Outcome]?: { readonly update: (by: number) => void } } = {}
  return (value: Outcome): void => {
    made[value] ??= Metric.globalMetricRegistry.get(
      MetricKey.taggedWithLabels(key, [MetricLabel.make("provider", provider), MetricLabel.make(label, value)])
    )
    made[value].update(1)
  }
}

const build = (provider: string): AttemptRecorder => {
  const countAttempt = counters(attemptsKey, provider, "outcome")
  const countRetry = counters(retriesKey, provider, "reason")
  const waits = Metric.globalMetricRegistry.get(MetricKey.tagged(waitKey, "provider", provider))
  return {
    ended: (span, attempt, outcome, status, ms) => {
      countAttempt(outcome)
      if (!open(span)) return
      const attributes: Record<string, unknown> = {
        "clientele.provider": provider,
        "clientele.attempt.outcome": outcome,
        "clientele.attempt.duration": ms / 1_000
      }
      // As the conventions want them: the first attempt is no resend, and a status is its own type of error.
      if (attempt > 1) attributes["http.request.resend_count"] = attempt - 1
      if (status !== undefined) attributes["http.response.status_code"] = status
      if (outcome !== "ok") attributes["error.type"] = status === undefined ? outcome : String(status)
      tell(span, "clientele.attempt", attributes)
    },
    retry: (span, attempt, reason, delayMs) => {
      countRetry(reason)
      if (!open(span)) return
      tell(span, "clientele.retry", {
        "clientele.provider": provider,
        "clientele.retry.reason": reason,
        "clientele.retry.delay": delayMs / 1_000,
        "http.request.resend_count": attempt
      })
    },
    waited: (ms) => waits.update(ms / 1_000)
  }
}

const recorders = new Map<string, AttemptRecorder>()

/** The recorder of a provider: metrics are the process's, so all clients of a provider have the same one. */
export const make = (provider: string): AttemptRecorder => {
  let recorder = recorders.get(provider)
  if (recorder === undefined) recorders.set(provider, (recorder = build(provider)))
  return recorder
}
