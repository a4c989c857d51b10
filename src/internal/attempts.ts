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
import * as Requests from "./telemetry/requests.ts"
import type { PoolStats, WireError } from "./wire.ts"

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
  Server: "server",
  QuotaExceeded: "rate_limited",
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

export const socketWaitKey = MetricKey.histogram(
  "clientele.socket.wait_time",
  waitKey.keyType.boundaries,
  "Seconds that requests waited for a socket, one that is being opened included, of those that had to wait"
)

/** One attempt, when headers have come or it has failed before. */
export interface Ended {
  /** Counts from 1. */
  readonly attempt: number
  readonly outcome: Outcome
  /** Milliseconds. */
  readonly ms: number
  readonly method: string
  /** What the connection spoke, if one stood. */
  readonly protocol: PoolStats["protocol"]
  /** The answer's, if one came. */
  readonly status: number | undefined
}

/** For the requests of one provider to one server. None of it throws. Times are in milliseconds; `attempt` counts from 1. */
export interface AttemptRecorder {
  readonly ended: (span: AnySpan | undefined, ended: Ended) => void
  /** After `attempt`, which ended as `reason` says, another follows when `delayMs` have passed. */
  readonly retry: (span: AnySpan | undefined, attempt: number, reason: Outcome, delayMs: number) => void
  /** A request that found no permit free waited this long for its own. */
  readonly waited: (ms: number) => void
  /** A request with a permit went onto the wire after this long. */
  readonly dispatched: (ms: number) => void
}

/** Who is sent within as many milliseconds has not waited. */
const AT_ONCE = 1

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

const build = (provider: string) => {
  const waits = Metric.globalMetricRegistry.get(MetricKey.tagged(waitKey, "provider", provider))
  const sockets = Metric.globalMetricRegistry.get(MetricKey.tagged(socketWaitKey, "provider", provider))
  return {
    attempt: counters(attemptsKey, provider, "outcome"),
    retry: counters(retriesKey, provider, "reason"),
    waited: (ms: number) => waits.update(ms / 1_000),
    dispatched: (ms: number) => {
      if (ms >= AT_ONCE) sockets.update(ms / 1_000)
    }
  }
}

const providers = new Map<string, ReturnType<typeof build>>()

/** Metrics are the process's, so all clients of a provider have the same ones. */
const ofProvider = (provider: string): ReturnType<typeof build> => {
  let counts = providers.get(provider)
  if (counts === undefined) providers.set(provider, (counts = build(provider)))
  return counts
}

/** The recorder of a client of this provider, whose requests go to this origin. */
export const make = (provider: string, origin: string): AttemptRecorder => {
  const counts = ofProvider(provider)
  const server = Requests.serverOf(origin)
  const note = Requests.make(server)
  return {
    ended: (span, { attempt, method, ms, outcome, protocol, status }) => {
      counts.attempt(outcome)
      // As the conventions want it: a status is its own type of error.
      const error = outcome === "ok" ? undefined : status === undefined ? outcome : String(status)
      const sent = { method, protocol, status, error }
      note(sent, ms / 1_000)
      if (!open(span)) return
      const attributes: Record<string, unknown> = {
        "clientele.provider": provider,
        "clientele.attempt.outcome": outcome,
        "clientele.attempt.duration": ms / 1_000,
        ...Requests.attributesOf(server, sent)
      }
      // The first attempt is no resend.
      if (attempt > 1) attributes["http.request.resend_count"] = attempt - 1
      tell(span, "clientele.attempt", attributes)
    },
    retry: (span, attempt, reason, delayMs) => {
      counts.retry(reason)
      if (!open(span)) return
      tell(span, "clientele.retry", {
        "clientele.provider": provider,
        "clientele.retry.reason": reason,
        "clientele.retry.delay": delayMs / 1_000,
        "http.request.resend_count": attempt
      })
    },
    waited: counts.waited,
    dispatched: counts.dispatched
  }
}
