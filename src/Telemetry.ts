/**
 * Telemetry of clientele: metrics in effect's own registry, which any exporter of effect's metrics reads
 * (`@effect/opentelemetry`, for one), and spans of the calling fiber's tracer. Code without Effect needs none of this:
 * there both go through `@opentelemetry/api`.
 *
 * Names follow OpenTelemetry: dots, base units, no `_total`. Prometheus exporters make `clientele_attempts_total` and the
 * like of them. Labels have few values: the provider's id (`openai`, `groq`, ...) and one word for the outcome. Of models,
 * agents and servers the first 100 have labels of their own, the others are `_other`. No label has a key, a path or a prompt.
 *
 * Each request is a span of kind client, `chat {model}` and the like; docs/metrics.md has their attributes. It receives an
 * event for each attempt, and so does the span that surrounds the call (`Effect.withSpan`): `clientele.attempt`, with
 * `clientele.provider`, `clientele.attempt.outcome`, `clientele.attempt.duration` (seconds, until headers or failure), and
 * the conventions' `http.request.method`, `server.address`, `server.port`, `http.request.resend_count`,
 * `http.response.status_code`, `error.type` and `network.protocol.version` where they apply; and
 * `clientele.retry` before each further one, with `clientele.retry.reason`, `clientele.retry.delay` (seconds) and
 * `http.request.resend_count`. Spans that are not sampled, or have ended, receive none.
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import { ClientMap } from "./ClientMap.ts"
import * as Attempts from "./internal/telemetry/attempts.ts"
import { RecordContent } from "./internal/telemetry/content.ts"
import * as GenAi from "./internal/telemetry/genAi.ts"
import * as Pool from "./internal/client/poolGauges.ts"
import * as Requests from "./internal/telemetry/requests.ts"
import { snapshot } from "./internal/otel/snapshot.ts"
import * as Prometheus from "./internal/telemetry/prometheus.ts"
import * as OverloadLog from "./internal/overload/overloadLog.ts"
import * as Unclassified from "./internal/telemetry/unclassified.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type { Outcome } from "./internal/telemetry/attempts.ts"

/**
 * `clientele.attempts`: how often requests were sent, retries included. Labels `provider` and `outcome`, in this order:
 * effect holds another order for another metric. An `outcome` is final when the answer's headers are there; a body that
 * breaks afterwards still counts as `ok`.
 *
 * @example
 * ```ts
 * import * as Telemetry from "clientele/Telemetry"
 * import * as Effect from "effect/Effect"
 * import * as Metric from "effect/Metric"
 *
 * const rateLimited = Telemetry.attempts.pipe(
 *   Metric.tagged("provider", "groq"),
 *   Metric.tagged("outcome", "rate_limited")
 * )
 *
 * export const told = Effect.map(Metric.value(rateLimited), ({ count }) => `Groq said no ${count} times`)
 * ```
 *
 * @since 0.1.0
 * @category metrics
 */
export const attempts: Metric.Metric.Counter<number> = Metric.fromMetricKey(Attempts.attemptsKey)

/**
 * `http.client.request.duration`: seconds from sending a request to the headers of its answer or to its failure, each
 * attempt for itself, by SDK, `fetch` or API alike. A histogram with the boundaries that OpenTelemetry's conventions
 * advise. Labels, where they are known, in this order: `http.request.method`, `server.address`, `server.port`,
 * `http.response.status_code`, `error.type` (the status, or the `outcome` of an attempt that had no answer),
 * `network.protocol.version`. Servers beyond the first 100 of the process are `_other`, and so are statuses. Redirects
 * that are followed are part of their attempt.
 *
 * @since 0.1.0
 * @category metrics
 */
export const requestDuration: Metric.Metric.Histogram<number> = Metric.fromMetricKey(Requests.durationKey)

/**
 * `clientele.retries`: attempts that were followed by another, after the wait that the policy or the provider set. Labels
 * `provider` and `reason`, the `outcome` of the attempt before, in this order.
 *
 * @since 0.1.0
 * @category metrics
 */
export const retries: Metric.Metric.Counter<number> = Metric.fromMetricKey(Attempts.retriesKey)

/**
 * `clientele.circuits`: how often a circuit opened, since nothing that was sent was answered, and closed
 * again. Label `state`, `open` or `closed`: opened less closed is how many are open now, but for those of transports that
 * went.
 *
 * @since 0.1.0
 * @category metrics
 */
export const circuits: Metric.Metric.Counter<number> = Metric.fromMetricKey(OverloadLog.circuitsKey)

/**
 * `clientele.unclassified`: statuses, error codes and codes of HTTP/2 that came, and that are not known. They have a type,
 * and count as perhaps worked on. Label `kind`: `status`, `error` or `http2`; the log names each once, as a warning.
 *
 * @since 0.1.0
 * @category metrics
 */
export const unclassified: Metric.Metric.Counter<number> = Metric.fromMetricKey(Unclassified.unclassifiedKey)

/**
 * `clientele.quota.wait_time`: seconds between a request and its turn, a histogram from 10 ms to 82 s. Only requests that
 * had to wait are in it. Label `provider`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const quotaWait: Metric.Metric.Histogram<number> = Metric.fromMetricKey(Attempts.waitKey)

/**
 * `clientele.socket.wait_time`: seconds between a request's turn and its way onto a socket, a histogram from 10 ms to
 * 82 s; the opening of a connection is part of it. Only requests that had to wait are in it. Label `provider`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const socketWait: Metric.Metric.Histogram<number> = Metric.fromMetricKey(Attempts.socketWaitKey)

/**
 * `gen_ai.client.operation.duration`: seconds of a call of a model, or of an agent (`clientele/Agent`), until its last
 * chunk. A call is one request, its waits and retries included: to `chat/completions`, `responses` or `messages` (`chat`),
 * `completions` (`text_completion`) or `embeddings`, by an SDK's client, a pooled fetch or an HttpClient; or the call of a
 * model of @effect/ai (`clientele/OpenAiModel` and the others), which is not counted a second time as the request that it
 * is. Labels, in this order: `gen_ai.operation.name`, `gen_ai.provider.name`, `gen_ai.request.model` or
 * `gen_ai.agent.name`, and `error.type`: a status, a reason of `RequestError` or `PoolError`, `interrupted`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const operationDuration: Metric.Metric.Histogram<number> = Metric.fromMetricKey(GenAi.durationKey)

/**
 * `gen_ai.client.token.usage`: tokens of a call of a model, those of the prompt and those of the answer. Labels
 * `gen_ai.operation.name`, `gen_ai.provider.name`, `gen_ai.request.model`, `gen_ai.token.type` (`input`, `output`).
 *
 * The usage in responses is read where that is cheap: for models of @effect/ai always; for clients of SDKs in responses
 * that are buffered (up to 64 KiB, and not trickled), and in streams of `chat/completions` with usage
 * (`stream_options: { include_usage: true }`). In other streams and longer responses it is read only with a budget
 * (`quota.tokensPerMinute`).
 *
 * @since 0.1.0
 * @category metrics
 */
export const tokenUsage: Metric.Metric.Histogram<number> = Metric.fromMetricKey(GenAi.tokensKey)

/**
 * `gen_ai.client.operation.time_to_first_chunk`: seconds from the call of a model to the first chunk of its stream, waits
 * and retries included. Labels `gen_ai.operation.name`, `gen_ai.provider.name`, `gen_ai.request.model`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const timeToFirstChunk: Metric.Metric.Histogram<number> = Metric.fromMetricKey(GenAi.firstChunkKey)

/**
 * Gauges of the client map, read every so often for as long as the layer is: for exporters that read the registry by
 * themselves. Connections, requests in flight, clients, leases, hits, misses, builds, releases, budgets; and for budgets
 * in use, by provider and model, their limits, their rest, and the number of closed ones. docs/metrics.md has
 * their names.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (every: Duration.DurationInput = "10 seconds"): Layer.Layer<never, never, ClientMap> =>
  Layer.scopedDiscard(
    Effect.flatMap(ClientMap, (map) => Effect.forkScoped(Effect.repeat(Pool.update(map), Schedule.spaced(every))))
  )

/**
 * All metrics of the process as Prometheus reads them, with the gauges of the client map as they are now. Names have `_`
 * where the conventions have a dot.
 *
 * @since 0.1.0
 * @category accessors
 */
export const prometheus: Effect.Effect<string, never, ClientMap> = Effect.flatMap(ClientMap, (map) =>
  Effect.zipRight(
    Pool.update(map),
    Effect.sync(() => Prometheus.format(snapshot()))
  )
)

/**
 * Enables content in spans within `self`: prompts of models as `gen_ai.input.messages`, parameters of tools, and failure
 * messages, in which providers quote requests. Without it spans omit these, and have only the kind of a failure: the
 * error itself has its text. Errors of an agent of your own, other than a model's, are in its span in any case.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withContent = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, RecordContent, true)
