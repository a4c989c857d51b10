/**
 * Records attempts: each time a request is sent, its outcome is counted, and is an event of the calling fiber's span.
 * Plain and synchronous, since this is the path of every request. It receives nothing that could be a secret, or part
 * of a prompt.
 */
import * as Clock from "effect/Clock"
import type { AnySpan, Span } from "effect/Tracer"
import { guarded } from "../otel/guarded.ts"
import * as Requests from "./requests.ts"
import type { RequestSpan } from "./requestSpan.ts"
import * as Series from "../otel/series.ts"
import type { PoolStats } from "../http/types.ts"
import type { WireError } from "../wire/errors.ts"

/**
 * Outcome of an attempt, up to the headers of its response:
 *
 * - `ok`: status below 400.
 * - `rate_limited`: 429, whatever limit it is about.
 * - `unauthorized`: 401 or 403.
 * - `client`: any other status below 500, a redirect to another origin, or an address that `allowAddress` refuses.
 * - `server`: status 500 and above.
 * - `timeout`: one of ours passed, also while it waited for a socket, or status 408.
 * - `connection`: none could be had (also for lack of file descriptors), or it broke, or the server's certificate is
 *   not to be trusted.
 * - `malformed`: a response that is not HTTP.
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

export const attemptsKey = Series.counter("clientele.attempts", "{request}", "Attempts sent to providers")

export const retriesKey = Series.counter("clientele.retries", "{request}", "Attempts followed by a retry")

/**
 * The bounds of `gen_ai.client.operation.duration` (OpenTelemetry, GenAI metrics): 10 ms doubling to 82 s, which is
 * what a wait for quota spans as well.
 */
const waits = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]

export const waitKey = Series.histogram(
  "clientele.quota.wait_time",
  "s",
  waits,
  "Seconds that requests waited for their credential's quota; requests without a wait are not recorded"
)

export const socketWaitKey = Series.histogram(
  "clientele.socket.wait_time",
  "s",
  waits,
  "Seconds that requests waited for a socket, or for one to open; requests without a wait are not recorded"
)

/** One attempt, when headers have come or it has failed before. */
export interface Ended {
  /** Counts from 1. */
  readonly attempt: number
  readonly outcome: Outcome
  /** Milliseconds. */
  readonly ms: number
  readonly method: string
  /** Protocol of the connection, if there was one. */
  readonly protocol: PoolStats["protocol"]
  /** The answer's, if one came. */
  readonly status: number | undefined
}

/**
 * For the requests of one provider to one server. None of it throws. Times are in milliseconds; `attempt` counts from 1.
 * Events are of `span`, which surrounds the request, and of the request's own.
 */
export interface AttemptRecorder {
  readonly ended: (span: AnySpan | undefined, ended: Ended, own?: RequestSpan) => void
  /** After `attempt`, which ended with `reason`, another follows when `delayMs` have passed. */
  readonly retry: (
    span: AnySpan | undefined,
    attempt: number,
    reason: Outcome,
    delayMs: number,
    own?: RequestSpan
  ) => void
  /** A request that found no permit free waited this long for its own. */
  readonly waited: (ms: number) => void
  /** A request with a permit went onto the wire after this long. */
  readonly dispatched: (ms: number) => void
}

/** Requests that are sent within as many milliseconds have not waited. */
const NO_WAIT_MS = 1

/** The clock of spans too, outside of tests with a clock of their own. */
const clock = Clock.make()

const open = (span: AnySpan | undefined): span is Span =>
  span?._tag === "Span" && span.sampled && span.status._tag === "Started"

const tell = (
  span: AnySpan | undefined,
  own: RequestSpan | undefined,
  name: string,
  attributes: Readonly<Record<string, string | number>>
): void => {
  own?.event(name, attributes)
  if (open(span)) guarded(() => span.event(name, clock.unsafeCurrentTimeNanos(), attributes))
}

/** One counter for each value of a label, made when it is first counted. Which label comes first is part of its identity. */
const counters = (key: typeof attemptsKey, provider: string, label: string, isExported: boolean) => {
  const made: { [value in Outcome]?: Series.Series } = {}
  return (value: Outcome): void => {
    made[value] ??= Series.open(
      key,
      [
        ["provider", provider],
        [label, value]
      ],
      isExported
    )
    made[value].update(1)
  }
}

const build = (provider: string, isExported: boolean) => {
  const waits = Series.open(waitKey, [["provider", provider]], isExported)
  const sockets = Series.open(socketWaitKey, [["provider", provider]], isExported)
  return {
    attempt: counters(attemptsKey, provider, "outcome", isExported),
    retry: counters(retriesKey, provider, "reason", isExported),
    waited: (ms: number) => waits.update(ms / 1_000),
    dispatched: (ms: number) => {
      if (ms >= NO_WAIT_MS) sockets.update(ms / 1_000)
    }
  }
}

const providers = new Map<string, ReturnType<typeof build>>()

/** Metrics are the process's, so all clients of a provider have the same ones. */
const ofProvider = (provider: string, isExported: boolean): ReturnType<typeof build> => {
  const known = `${provider} ${isExported}`
  let counts = providers.get(known)
  if (counts === undefined) providers.set(known, (counts = build(provider, isExported)))
  return counts
}

/** The recorder of a client of this provider, whose requests go to this origin. `isExported` is what `Series.open` takes. */
export const make = (provider: string, origin: string, isExported = false): AttemptRecorder => {
  const counts = ofProvider(provider, isExported)
  const server = Requests.serverOf(origin)
  const note = Requests.make(server, isExported)
  return {
    ended: (span, { attempt, method, ms, outcome, protocol, status }, own) => {
      counts.attempt(outcome)
      // As the conventions want it: a status is its own type of error.
      const error = outcome === "ok" ? undefined : status === undefined ? outcome : String(status)
      const sent = { method, protocol, status, error }
      note(sent, ms / 1_000)
      if (own === undefined && !open(span)) return
      const attributes: Record<string, string | number> = {
        "clientele.provider": provider,
        "clientele.attempt.outcome": outcome,
        "clientele.attempt.duration": ms / 1_000,
        ...Requests.attributesOf(server, sent)
      }
      // The first attempt is no resend.
      if (attempt > 1) attributes["http.request.resend_count"] = attempt - 1
      tell(span, own, "clientele.attempt", attributes)
    },
    retry: (span, attempt, reason, delayMs, own) => {
      counts.retry(reason)
      if (own === undefined && !open(span)) return
      tell(span, own, "clientele.retry", {
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
